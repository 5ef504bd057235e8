"""Readouts: what they decode, in both step modes, since the last reset."""

import pytest
import torch
from cases import TOLERANCE, sequence
from reference import relative_error

from spikeframe import functional, kernels, neuron

pytestmark = pytest.mark.usefixtures("uncompiled")

DECODES = ("last-mem", "max-mem", "max-abs-mem", "mean-mem")


def decoded(v_seq, decode):
    """Written out."""
    if decode == "last-mem":
        return v_seq[-1]
    if decode == "max-mem":
        return v_seq.max(0).values
    if decode == "mean-mem":
        return v_seq.mean(0)
    top, bottom = v_seq.max(0).values, v_seq.min(0).values
    return torch.where(top.abs() > bottom.abs(), top, bottom)


@pytest.mark.parametrize("backend", ["eager", "torch"])
@pytest.mark.parametrize("decode", DECODES)
def test_what_is_decoded_and_its_gradient(decode, backend):
    x_seq = sequence((4, 5)) - 0.8
    x_seq[2:4] = 0.0  # equal potentials in a row
    given, reference = (x_seq.clone().requires_grad_() for _ in range(2))
    node = neuron.NonSpikingIFNode(decode, step_mode="m", backend=backend)
    expected = decoded(reference.cumsum(0), decode)
    found = node(given)
    assert found.shape == (4, 5)
    assert relative_error(found.detach(), expected.detach()) < TOLERANCE[torch.float32]
    found.square().sum().backward()
    expected.square().sum().backward()
    assert relative_error(given.grad, reference.grad) < TOLERANCE[torch.float32]


@pytest.mark.parametrize("decode", [None, *DECODES])
def test_steps_and_parts_give_what_the_whole_gives(decode):
    x_seq = sequence((4, 5)) - 0.8
    whole, parts, single = (
        neuron.NonSpikingLIFNode(2.7, decode, step_mode=m, backend="eager") for m in "mms"
    )
    expected = whole(x_seq)
    steps = [single(x) for x in x_seq]
    halves = [parts(x_seq[:3]), parts(x_seq[3:])]
    if decode is None:
        assert torch.equal(torch.stack(steps), expected)
        assert torch.equal(torch.cat(halves), expected)
    else:
        assert torch.equal(steps[-1], expected)
        assert torch.equal(halves[-1], expected)
    functional.reset_net(parts)
    assert torch.equal(parts(x_seq), expected)


def test_no_call_resets_by_itself():
    node = neuron.NonSpikingIFNode("last-mem", step_mode="m")
    assert [node(torch.ones(2, 1)).item() for _ in range(3)] == [2.0, 4.0, 6.0]
    with pytest.raises(ValueError, match="NonSpikingIFNode: v has shape .*reset_net"):
        node(torch.ones(2, 3))


def test_an_equal_extreme_of_both_signs_is_the_lower_one():
    """As in SpikingJelly."""
    node = neuron.NonSpikingIFNode("max-abs-mem", step_mode="m")
    assert node(torch.tensor([[2.0], [-4.0]])).item() == -2.0


@pytest.mark.parametrize("decode", DECODES)
def test_what_is_no_number_is_not_passed_over(decode):
    node = neuron.NonSpikingIFNode(decode, step_mode="m")
    assert node(torch.tensor([[1.0], [torch.nan], [2.0]])).isnan().all()


def test_they_are_fused_and_keep_their_potentials():
    for decode in (None, *DECODES):
        assert kernels.why_not(neuron.NonSpikingLIFNode(decode=decode), "torch") is None
    node = neuron.NonSpikingIFNode("max-mem", step_mode="m", store_v_seq=True)
    node(torch.tensor([[1.0], [-2.0]]))
    assert node.v_seq.flatten().tolist() == [1.0, -1.0]


def test_names():
    assert neuron.NonSpikingIFNode("last_mem").decode == "last-mem"
    assert repr(neuron.NonSpikingLIFNode(3)).startswith("NonSpikingLIFNode(\n  tau=3.0, decode=No")


def test_a_backward_through_a_finished_sequence_names_the_cure():
    node = neuron.NonSpikingIFNode("max-mem", step_mode="m", backend="eager")
    x_seq = torch.ones(2, 3, requires_grad=True)
    node(x_seq).sum().backward()
    with (
        pytest.warns(UserWarning, match="reset_net"),
        pytest.raises(RuntimeError, match="second time"),
    ):
        node(x_seq).sum().backward()

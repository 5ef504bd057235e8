"""Samples that end at different steps: each is as if it ran by itself."""

import pytest
import torch
from cases import NEURONS, sequence
from own_layers import OWN_LAYERS
from torch import nn

from spikeframe import base, functional, kernels, layer, neuron, surrogate

LENGTHS = torch.tensor([4, 1, 7, 0, 3])
EXACT = {"rtol": 1e-10, "atol": 1e-10}
# They need all steps at once, or mix the samples.
WHOLE = ("TemporalWise", "MultiDimensional", "SpikeCount", "TemporalBin", "DropConnect")
LAYERS = [case for case in OWN_LAYERS if not case.name.startswith(WHOLE)]


def each_alone(net, x_seq, lengths):
    """Outputs, padded with zeros; gradients to the input; states of the samples."""
    outputs, grads, states = [], [], []
    for i, length in enumerate(lengths.tolist()):
        functional.reset_net(net)
        # Of a sample without steps, what the first one makes of a sample is not looked at.
        x = x_seq[: length or 1, i : i + 1].detach().requires_grad_()
        y = net(x)
        padded = torch.zeros(len(x_seq), *y.shape[1:], dtype=y.dtype)
        grad = torch.zeros_like(x_seq[:, i : i + 1])
        if length:
            padded[:length] = y
            grad[:length] = torch.autograd.grad(y.square().sum(), x)[0]
        outputs.append(padded)
        grads.append(grad)
        states.append(functional.get_states(net) if length else {})
    return torch.cat(outputs, 1), torch.cat(grads, 1), states


def check(net, x_seq, lengths=LENGTHS, run=functional.variable_length_forward):
    """A padded batch against its samples one by one."""
    expected, expected_grad, states = each_alone(net, x_seq, lengths)
    functional.reset_net(net)
    padded = x_seq.clone()
    for i, length in enumerate(lengths.tolist()):
        padded[length:, i] = float("nan")
    padded.requires_grad_()
    found = run(net, padded, lengths)
    torch.testing.assert_close(found, expected, **EXACT)
    (grad,) = torch.autograd.grad(found.square().sum(), padded)
    torch.testing.assert_close(grad, expected_grad, **EXACT)
    for name, value in functional.get_states(net).items():
        for i, alone in enumerate(states):
            if isinstance(value, torch.Tensor) and name in alone:
                torch.testing.assert_close(value[i : i + 1], alone[name], **EXACT)


@pytest.mark.parametrize("v_reset", [0.0, None, -0.3])
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_neurons_stop_where_samples_end(case, v_reset):
    torch.manual_seed(0)
    options = {"surrogate_function": surrogate.ATan(), "v_reset": v_reset, "step_mode": "m"}
    net = nn.Sequential(case(**options), nn.Linear(3, 4), case(**options)).double()
    check(net, sequence((5, 3)).double())


@pytest.mark.parametrize("backend", ["eager", "torch", "auto"])
@pytest.mark.parametrize("reset_value", [0.0, torch.tensor([0.1, -0.2, 0.3, 0.0, 0.2])])
def test_kernel_and_reference_stop_alike(backend, reset_value, monkeypatch):
    def lif():
        node = neuron.ParametricLIFNode(surrogate_function=surrogate.ATan(), step_mode="m")
        node.set_reset_value("v", reset_value)
        return node

    net = nn.Sequential(lif(), nn.Linear(5, 5), lif()).double()
    functional.set_backend(net, backend)
    x_seq = 2 * sequence((5, 5)).double()
    check(net, x_seq)
    steps = []
    loop = kernels.loop_over_time
    monkeypatch.setattr(kernels, "loop_over_time", lambda *x: steps.append(1) or loop(*x))
    functional.reset_net(net)
    found = functional.variable_length_forward(net, x_seq, LENGTHS)
    states = functional.get_states(net)
    assert bool(steps) == (backend == "eager")
    functional.reset_net(net)
    functional.set_backend(net, "eager")
    assert torch.equal(functional.variable_length_forward(net, x_seq, LENGTHS), found)
    for name, state in functional.get_states(net).items():
        assert torch.equal(states[name], state)


def test_a_failing_stretch_leaves_the_states():
    node = neuron.IFNode(step_mode="m")
    functional.variable_length_forward(node, sequence((5, 3)), LENGTHS)
    before = node.v
    node.v_threshold = torch.ones(4)
    with pytest.raises(ValueError, match="v_threshold has shape"):
        functional.variable_length_forward(node, sequence((5, 3)), LENGTHS)
    assert torch.equal(node.v, before)


@pytest.mark.parametrize("case", LAYERS, ids=str)
def test_layers_stop_where_samples_end(case):
    x_seq = case.sequence(T=4, N=5)
    check(case.build(), x_seq, LENGTHS.clamp(max=4))


@pytest.mark.parametrize(
    "wrap",
    [
        layer.MultiStep,
        lambda net: layer.MultiStepContainer(*net),
        lambda net: layer.StepModeContainer(True, *net, step_mode="m"),
    ],
    ids=["fold", "container", "step mode container"],
)
def test_containers_stop_where_samples_end(wrap):
    torch.manual_seed(0)
    node = neuron.LIFNode(surrogate_function=surrogate.ATan())
    check(wrap(nn.Sequential(nn.Linear(3, 4), node).double()), sequence((5, 3)).double())


def test_parts_of_samples_end_with_them():
    class Windows(nn.Module):
        """Has three neurons' inputs of a sample in the batch."""

        def __init__(self):
            super().__init__()
            self.node = neuron.LIFNode(surrogate_function=surrogate.ATan())

        def forward(self, x):
            return self.node(x.reshape(-1, 1)).reshape(x.shape)

    net = layer.MultiStep(Windows())
    x_seq = sequence((5, 3)).double()
    plain = neuron.LIFNode(surrogate_function=surrogate.ATan(), step_mode="m")
    expected = each_alone(plain, x_seq, LENGTHS)[0]
    found = functional.variable_length_forward(net, x_seq, LENGTHS)
    torch.testing.assert_close(found, expected, **EXACT)


def test_chunks_of_padded_sequences_go_on():
    node, x_seq = neuron.LIFNode(step_mode="m"), sequence((5, 3)).double()
    expected = functional.variable_length_forward(node, x_seq, LENGTHS)
    state = node.v
    node.reset()
    mask = functional.sequence_mask(LENGTHS, 7)
    parts = zip(x_seq.split(3), mask.split(3), strict=True)
    found = [functional.variable_length_forward(node, x, part) for x, part in parts]
    assert torch.equal(torch.cat(found), expected)
    assert torch.equal(node.v, state)


def test_a_mask_may_pause_a_sample():
    node, x_seq = neuron.LIFNode(step_mode="m"), sequence((2, 3)).double()
    mask = torch.ones(7, 2, dtype=torch.bool)
    mask[[0, 2, 3], 0] = False
    found = functional.variable_length_forward(node, x_seq, mask)
    alone = neuron.LIFNode(step_mode="m")
    expected = alone(x_seq[mask[:, 0], :1])
    assert torch.equal(found[mask[:, 0], :1], expected)
    assert not found[~mask[:, 0], 0].any()
    assert torch.equal(node.v[:1], alone.v)


def test_dropout_holds_its_mask():
    net = nn.Sequential(layer.Dropout(0.5, step_mode="m"))
    mask = torch.ones(4, 2, dtype=torch.bool)
    mask[0, 0] = False
    y_seq = functional.variable_length_forward(net, torch.ones(4, 2, 20), mask)
    assert torch.equal(y_seq[1], y_seq[3])
    assert y_seq[1, 0].any()


def test_sequences_that_are_kept_are_those_of_the_call():
    node = neuron.IFNode(step_mode="m", store_v_seq=True)
    for _ in range(2):
        functional.variable_length_forward(node, sequence((5, 3)), LENGTHS)
    assert node.v_seq.shape == (7, 5, 3)
    assert node.step_mode == "m"


def test_lengths_apply_to_the_call_alone():
    node = neuron.IFNode(step_mode="m")
    with pytest.raises(ValueError, match="lengths need outputs"):
        functional.variable_length_forward(
            nn.Sequential(node, nn.Flatten(0)), sequence((5, 3)), LENGTHS
        )
    node.reset()
    assert torch.equal(node(sequence((5, 3))), neuron.IFNode(step_mode="m")(sequence((5, 3))))


def test_outputs_of_any_structure_are_masked():
    class Two(nn.Module):
        def forward(self, x_seq):
            return {"a": x_seq + 1, "b": (x_seq.sum(-1) - 1, None)}

    out = functional.variable_length_forward(Two(), torch.zeros(7, 5, 3), LENGTHS)
    assert torch.equal(out["a"][:, :, 0].sum(0), LENGTHS.float())
    assert torch.equal(out["b"][0].sum(0), -LENGTHS.float())


def test_what_does_not_fit_is_refused():
    class Whole(base.MemoryModule):
        """Needs the sequence."""

        def supported_step_mode(self):
            return ("m",)

        def multi_step_forward(self, x_seq):
            return x_seq

    whole, x_seq = Whole(), sequence((5, 3))
    whole.step_mode = "m"
    run = functional.variable_length_forward
    with pytest.raises(ValueError, match=r"^Whole '0' needs all steps of a sequence at once"):
        run(nn.Sequential(whole), x_seq, LENGTHS)
    node = neuron.IFNode(step_mode="m")
    for lengths, text in (
        (LENGTHS + 1, "lengths must be from 0 to T=7, got 1 to 8"),
        (LENGTHS.float(), r"lengths must be integers \[N\], got torch.float32 of shape \[5\]"),
        (LENGTHS[:4], r"lengths must be \[N\] for .* \[7, 5, 3\], got \[4\]"),
        (torch.ones(7, 4, dtype=torch.bool), r"a mask must be \[T, N\] for .* got \[7, 4\]"),
    ):
        with pytest.raises(ValueError, match=text):
            run(node, x_seq, lengths)
    with pytest.raises(ValueError, match=r"padded sequences are \[T, N, \*\], got \[7\]"):
        run(node, x_seq[:, 0, 0], LENGTHS)

    class Regroups(nn.Module):
        def forward(self, x_seq):
            return node(x_seq[:, :3])

    with pytest.raises(ValueError, match="the lengths are those of 5 samples and at most 7 steps"):
        run(Regroups(), x_seq, LENGTHS)

"""Linear, Flatten and Upsample: dimensions count from the step's; events of linear layers."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from spikeframe import kernels, layer, memory
from spikeframe.base.spikes import mark_spikes


def test_linear_takes_any_inner_dimensions():
    fc = layer.Linear(3, 5, step_mode="m")
    x_seq = torch.rand(4, 2, 1, 7, 3)
    assert fc(x_seq).shape == (4, 2, 1, 7, 5)
    with pytest.raises(ValueError, match=r"takes a sequence \[T, N, \*, F\], got .* \[2, 3\]"):
        fc(torch.rand(2, 3))
    fc.step_mode = "s"
    assert fc(x_seq[0, 0, 0, 0]).shape == (5,)
    with pytest.raises(ValueError, match=r"takes one step \[N, \*, F\] or \[F\], got .* \[\]"):
        fc(torch.rand(()))


def test_flatten_keeps_time_and_batch():
    x_seq = torch.rand(4, 2, 3, 5, 7)
    assert torch.equal(layer.Flatten(step_mode="m")(x_seq), x_seq.flatten(2))
    assert torch.equal(layer.Flatten(2, 3, step_mode="m")(x_seq), x_seq.flatten(3, 4))
    assert torch.equal(layer.Flatten(-2, -1, step_mode="m")(x_seq), x_seq.flatten(-2, -1))
    assert torch.equal(layer.Flatten()(x_seq[0]), x_seq[0].flatten(1))


@pytest.mark.parametrize("start_dim", [0, -4])
def test_flatten_of_the_batch_is_for_steps_only(start_dim):
    x_seq = torch.rand(4, 2, 3, 5, 7)
    assert layer.Flatten(start_dim)(x_seq[0]).shape == (210,)
    for sequence in (x_seq, x_seq[0].expand(4, 2, 3, 5, 7)):
        with pytest.raises(ValueError, match=f"keeps time and batch, got start_dim={start_dim} "):
            layer.Flatten(start_dim, step_mode="m")(sequence)


def test_flatten_of_channels_last_is_in_the_order_of_channels():
    x = torch.rand(8, 3, 5, 7).to(memory_format=torch.channels_last)
    y = layer.Flatten(step_mode="m")(x.unflatten(0, (4, 2)))
    assert torch.equal(y, x.clone(memory_format=torch.contiguous_format).view(4, 2, 105))


@pytest.mark.parametrize(
    ("kwargs", "step", "allowed"),
    [
        ({"scale_factor": 2, "mode": "linear"}, (2, 3, 5), "[T, N, C, L]"),
        ({"scale_factor": 2, "mode": "bicubic"}, (2, 3, 5, 5), "[T, N, C, H, W]"),
        ({"scale_factor": 2, "mode": "trilinear"}, (2, 3, 5, 5, 5), "[T, N, C, D, H, W]"),
        ({"size": (7, 6)}, (2, 3, 5, 5), "[T, N, C, H, W]"),
        ({"scale_factor": (2.0,)}, (2, 3, 5), "[T, N, C, L]"),
    ],
)
def test_upsample_knows_its_rank(kwargs, step, allowed):
    up = layer.Upsample(**kwargs, step_mode="m")
    x_seq = torch.rand(4, *step)
    single = layer.Upsample(**kwargs)
    torch.testing.assert_close(up(x_seq), torch.stack([single(x) for x in x_seq]))
    with pytest.raises(ValueError, match="takes a sequence") as error:
        up(x_seq[0])
    assert f"takes a sequence {allowed}, got" in str(error.value)


def test_upsample_of_any_rank():
    up = layer.Upsample(scale_factor=2, step_mode="m")
    for rank in (1, 2, 3):
        assert up(torch.rand(4, 2, 3, *[5] * rank)).shape == (4, 2, 3, *[10] * rank)
    with pytest.raises(ValueError, match=r"\[T, N, C, L\] or \[T, N, C, H, W\] or \[T, N, C, D"):
        up(torch.rand(4, 2, 3))


def streamed(**kwargs):
    """A layer whose steps are large enough for events."""
    torch.manual_seed(0)
    return layer.Linear(500, 300, **kwargs)


def spikes(*shape, share=0.1):
    return (torch.rand(*shape) < share).float()


@pytest.fixture
def served(monkeypatch):
    """Whether each call of a layer was served by events."""
    seen, product = [], kernels.event_linear

    def spy(*given):
        found = product(*given)
        seen.append(found is not None)
        return found

    monkeypatch.setattr(kernels, "event_linear", spy)
    return seen


def test_linear_says_how_it_is_set():
    assert "event_driven" not in repr(layer.Linear(3, 5))
    assert repr(layer.Linear(3, 5, event_driven=False)).endswith(
        "step_mode=s, event_driven=False)"
    )
    for wrong in (1, "yes", 0.0):
        with pytest.raises(TypeError, match=f"must be True, False or None, got {wrong!r}"):
            layer.Linear(3, 5, event_driven=wrong)


@pytest.mark.parametrize(
    ("event_driven", "expected"), [(None, [False, True]), (True, [True, True]), (False, [])]
)
def test_linear_uses_events_as_it_is_told(event_driven, expected, served):
    fc, x_seq = streamed(event_driven=event_driven), spikes(40, 32, 500)
    steps = fc(x_seq[0, :1])
    fc.step_mode = "m"
    sequence = fc(x_seq)
    assert served == expected
    torch.testing.assert_close(steps, F.linear(x_seq[0, :1], fc.weight, fc.bias))
    exact = F.linear(x_seq, fc.weight, fc.bias)
    torch.testing.assert_close(sequence, exact, rtol=1e-4, atol=1e-5)


def test_linear_of_dense_input_is_torchs(served):
    fc, plain = streamed(event_driven=True, step_mode="m"), nn.Linear(500, 300)
    plain.load_state_dict(fc.state_dict())
    x_seq = torch.rand(40, 32, 500)
    torch.testing.assert_close(fc(x_seq), plain(x_seq))
    fc.event_driven = False
    assert torch.equal(fc(x_seq), plain(x_seq))
    assert served == [False]


def test_linear_computes_a_static_sequence_once(served):
    fc = streamed(step_mode="m")
    assert fc(spikes(1500, 500).expand(4, 1500, 500)).stride(0) == 0
    assert served == [True]


def test_event_driven_is_a_layout_and_nothing_else():
    fc = streamed()
    weight, values = fc.weight, fc.weight.detach().clone()
    for event_driven, stride in ((True, (1, 300)), (False, (500, 1)), (True, (1, 300))):
        fc.event_driven = event_driven
        assert fc.weight is weight
        assert fc.weight.stride() == stride
        assert torch.equal(fc.weight, values)
    fc.event_driven = None
    assert fc.weight.is_contiguous()


CHANGES = {
    "optimiser": lambda fc: _optimise(fc),
    "load_state_dict": lambda fc: fc.load_state_dict(nn.Linear(500, 300).state_dict()),
    "assign": lambda fc: fc.load_state_dict(nn.Linear(500, 300).state_dict(), assign=True),
    "copy_": lambda fc: fc.weight.detach().copy_(torch.randn(300, 500)),
    "data": lambda fc: fc.weight.data.mul_(3),
    "new data": lambda fc: setattr(fc.weight, "data", torch.randn(300, 500)),
    "one value": lambda fc: fc.weight.data[7].fill_(9),
    "numpy": lambda fc: fc.weight.detach().numpy().fill(0.25),
    "parameter": lambda fc: setattr(fc, "weight", nn.Parameter(torch.randn(300, 500))),
    "double": lambda fc: fc.double(),
    "init": lambda fc: nn.init.xavier_normal_(fc.weight),
    "reset": lambda fc: fc.reset_parameters(),
}


def _optimise(fc):
    for make in (torch.optim.Adam, lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9)):
        optimiser = make(fc.parameters(), lr=0.1)
        for _ in range(2):
            fc(spikes(2, 500)).pow(2).sum().backward()
            optimiser.step()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_no_weight_is_ever_stale(change):
    fc = streamed(event_driven=True)
    x = spikes(1, 500)
    with torch.no_grad():
        before = fc(x)
    change(fc)
    with torch.no_grad():
        x = x.to(fc.weight.dtype)
        found = fc(x)
    torch.testing.assert_close(found, x @ fc.weight.t() + fc.bias, rtol=1e-4, atol=1e-4)
    if change is not CHANGES["double"]:
        assert not torch.equal(found, before)


@pytest.mark.parametrize("change", ["optimiser", "load_state_dict", "copy_", "double", "reset"])
def test_layout_outlives_what_changes_values(change, served):
    fc = streamed(event_driven=True)
    CHANGES[change](fc)
    served.clear()
    fc(spikes(1, 500).to(fc.weight.dtype))
    assert fc.weight.stride() == (1, 300)
    assert served == [True]


def test_event_driven_layers_are_copied_whole():
    fc = streamed(event_driven=True)
    buffer = io.BytesIO()
    torch.save(fc.state_dict(), buffer)
    plain = nn.Linear(500, 300)
    buffer.seek(0)
    plain.load_state_dict(torch.load(buffer))
    assert plain.weight.is_contiguous()
    assert torch.equal(plain.weight, fc.weight)
    for twin in (copy.deepcopy(fc), pickle.loads(pickle.dumps(fc))):
        assert twin.event_driven is True
        assert twin.weight.stride() == (1, 300)
        assert torch.equal(twin(spikes(1, 500) * 0), fc.bias[None])


def test_replicas_read_their_own_weights():
    fc = streamed(event_driven=True)
    replica = fc._replicate_for_data_parallel()
    replica.weight, replica.bias = torch.randn(300, 500), torch.zeros(300)
    x = spikes(1, 500)
    torch.testing.assert_close(replica(x), x @ replica.weight.t(), rtol=1e-4, atol=1e-4)
    assert not torch.equal(fc(x), replica(x))


def test_input_is_kept_as_bits():
    fc, x_seq = streamed(step_mode="m"), mark_spikes(spikes(40, 32, 500))
    with memory.packed_spikes():
        kept = memory.report(fc, x_seq).bytes
    assert kept < x_seq.numel() * 4 / 16


def test_gradients_of_a_step_are_torchs():
    fc, plain = streamed(event_driven=True), nn.Linear(500, 300)
    plain.load_state_dict(fc.state_dict())
    x = spikes(1, 500)
    for module in (fc, plain):
        module(x).pow(2).sum().backward()
    torch.testing.assert_close(fc.weight.grad, plain.weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fc.bias.grad, plain.bias.grad, rtol=1e-4, atol=1e-4)


def test_standardised_weights_are_not_passed_by():
    fc = layer.WSLinear(500, 300, step_mode="m")
    x_seq = spikes(40, 32, 500)
    torch.testing.assert_close(fc(x_seq), F.linear(x_seq, fc.get_weight(), fc.bias))


def test_event_driven_layers_compile():
    fc = streamed(event_driven=True)
    x = spikes(1, 500)
    compiled = torch.compile(fc, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), fc(x), rtol=1e-4, atol=1e-5)

"""Parallel spiking neurons: whole sequences, steps, and what is kept between calls."""

import copy

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from spikeframe import functional, kernels, neuron, surrogate


def sequence(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed)) * 2


def clear(h):
    """Where a membrane is not within rounding of the threshold."""
    return h.abs() > 1e-5


MAKE = {
    "PSN": lambda **k: neuron.PSN(5, **k),
    "MaskedPSN": lambda **k: neuron.MaskedPSN(3, 5, 1.0, step_mode="m", **k),
    "SlidingPSN": lambda **k: neuron.SlidingPSN(3, step_mode="m", **k),
}


def test_psn_is_a_matrix_product():
    node, x_seq = neuron.PSN(5), sequence(5, 2, 3)
    h = torch.einsum("ts,snc->tnc", node.weight, x_seq) + node.bias.unsqueeze(-1)
    assert torch.allclose(node.potential(x_seq), h, atol=1e-6)
    spikes = node(x_seq)
    assert torch.equal(spikes[clear(h)], (h >= 0).float()[clear(h)])
    spikes.sum().backward()
    assert node.weight.grad.shape == (5, 5)
    assert node.bias.grad.shape == (5, 1)


@pytest.mark.parametrize(("lambda_", "seen"), [(0.0, 6), (1.0, 3)])
def test_masked_psn_sees_the_last_steps(lambda_, seen):
    node, x_seq = neuron.MaskedPSN(3, 6, lambda_, step_mode="m"), sequence(6, 4)
    x_seq.requires_grad_()
    for t in range(6):
        (grad,) = torch.autograd.grad(node.potential(x_seq)[t].sum(), x_seq)
        expected = range(6) if seen == 6 else range(max(0, t - 2), t + 1)
        assert grad[:, 0].nonzero().flatten().tolist() == list(expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", MAKE)
def test_they_compile_without_a_break(name):
    x_seq = sequence(5, 2, 3)
    node = MAKE[name]()
    compiled = torch.compile(node, fullgraph=True, backend="aot_eager")
    expected = node(x_seq)
    node.reset()
    assert torch.equal(compiled(x_seq), expected)


def test_lambda_is_assigned_in_place():
    node = neuron.MaskedPSN(2, 4)
    held = node.lambda_
    node.lambda_ = 0.5
    assert held == 0.5
    assert torch.allclose(node.masked_weight()[0, 3], 0.5 * node.weight[0, 3])
    assert "lambda_=0.5" in repr(node)
    assert "_lambda_" in node.state_dict()


@pytest.mark.parametrize(
    "make", [lambda: neuron.MaskedPSN(3, 7, 1.0), lambda: neuron.SlidingPSN(3, exp_init=False)]
)
def test_steps_give_the_sequence(make):
    torch.manual_seed(0)
    node, x_seq = make(), sequence(7, 2, 5)
    node.bias.data.zero_()
    steps = torch.stack([node(x) for x in x_seq])
    node.reset()
    node.step_mode = "m"
    h = node.potential(x_seq)
    whole = node(x_seq)
    assert torch.equal(steps[clear(h)], whole[clear(h)])
    assert 0 < whole.mean() < 1


def test_sliding_weights_halve_with_age():
    node = neuron.SlidingPSN(4)
    assert node.weight.tolist() == [0.125, 0.25, 0.5, 1.0]
    assert node.bias.item() == -1.0


@pytest.mark.parametrize("k", [1, 3, 9])
@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_a_sliding_psn_remembers_the_last_inputs(k, step_mode):
    torch.manual_seed(0)
    node, x_seq = neuron.SlidingPSN(k, exp_init=False, step_mode="m"), sequence(12, 2, 5)
    h = node.potential(x_seq)
    whole = node(x_seq)
    functional.reset_net(node)
    assert node.queue == ()
    parts = [node(x_seq[:2]), node(x_seq[2:7])]
    node.step_mode = step_mode
    rest = x_seq[7:]
    parts.append(node(rest) if step_mode == "m" else torch.stack([node(x) for x in rest]))
    assert torch.equal(torch.cat(parts)[clear(h)], whole[clear(h)])
    assert len(node.queue) == min(k - 1, 12)


def test_states_behave_as_those_of_other_nodes():
    node = neuron.SlidingPSN(3, step_mode="m")
    node(sequence(4, 2).requires_grad_())
    assert torch.equal(copy.deepcopy(node).queue[0], node.queue[0])
    functional.detach_net(node)
    assert not node.queue[0].requires_grad
    with pytest.raises(ValueError, match=r"queue has steps of shape \[2\] .* \[5\]: .*reset_net"):
        node(sequence(4, 5))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64])
def test_dtypes(dtype):
    x_seq = (sequence(5, 2, 3) * 2).to(dtype)
    for node in (neuron.PSN(5), neuron.SlidingPSN(2, step_mode="m")):
        spikes = node(x_seq)
        assert spikes.dtype == (dtype if dtype.is_floating_point else torch.float32)
        assert torch.equal(
            spikes.float(),
            node.eval().surrogate_function(node.reset() or node.potential(x_seq.float())),
        )


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_net_of_another_dtype(name, dtype):
    node, x_seq = MAKE[name]().to(dtype), sequence(5, 2, 3).to(dtype)
    spikes = node(x_seq)
    assert spikes.dtype == dtype
    node.weight.data = node.weight.data.to(torch.float64)
    node.bias.data = node.bias.data.to(torch.float64)
    node.reset()
    h = node.potential(x_seq.double())
    assert torch.equal(spikes[clear(h)], (h >= 0).to(dtype)[clear(h)])
    if name != "PSN":
        node = node.to(dtype)
        node.reset()
        node.step_mode = "s"
        assert torch.stack([node(x) for x in x_seq]).dtype == dtype


@pytest.mark.parametrize("name", MAKE)
def test_what_is_no_real_tensor_or_no_surrogate_is_refused(name):
    with pytest.raises(TypeError, match=f"{name} takes a tensor, got list"):
        MAKE[name]()([1.0])
    with pytest.raises(TypeError, match=f"{name} takes real inputs, got torch.complex64"):
        MAKE[name]()(torch.zeros(5, 2, dtype=torch.complex64))
    with pytest.raises(TypeError, match=r"write ATan\(\) rather than ATan"):
        MAKE[name](surrogate_function=surrogate.ATan)


@pytest.mark.parametrize("name", MAKE)
def test_empty_batches_and_single_neurons(name):
    assert MAKE[name]()(torch.zeros(5, 0, 3)).shape == (5, 0, 3)
    assert MAKE[name]()(torch.zeros(5)).shape == (5,)


def test_a_backward_through_a_finished_sequence_names_the_cure():
    node, layer = neuron.SlidingPSN(3, step_mode="m"), torch.nn.Linear(3, 3)
    x_seq = sequence(5, 2, 3)
    node(layer(x_seq)).sum().backward()
    with (
        pytest.warns(UserWarning, match="SlidingPSN: its state was left .*reset_net"),
        pytest.raises(RuntimeError, match="second time"),
    ):
        node(layer(x_seq)).sum().backward()
    functional.reset_net(node)
    node(layer(x_seq)).sum().backward()


def test_without_a_state_any_transform_will_do():
    node, x_seq = neuron.PSN(5), sequence(5, 2, 3)
    mapped = torch.func.vmap(node, in_dims=1, out_dims=1)(x_seq)
    assert torch.equal(mapped, node(x_seq))
    grads = []
    for run in (node, lambda x: checkpoint(node, x, use_reentrant=False)):
        node.zero_grad()
        (run(x_seq) * x_seq).sum().backward()
        grads.append(node.weight.grad.clone())
    assert torch.equal(*grads)
    with pytest.raises(RuntimeError, match="keeps its state inside"):
        torch.func.vmap(neuron.SlidingPSN(2, step_mode="m"), in_dims=1)(x_seq)


def test_autocast_leaves_the_precision_alone():
    node, x_seq = neuron.PSN(5), sequence(5, 2, 3)
    expected = node.potential(x_seq)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(node.potential(x_seq), expected)


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (neuron.PSN(4), "sums over the steps of a sequence"),
        (neuron.SlidingPSN(2, step_mode="m"), "sums over the steps of a sequence"),
        (neuron.MaskedPSN(2, 4, step_mode="m"), "sums over the steps of a sequence"),
    ],
)
def test_they_run_by_torch_and_say_so(node, reason):
    assert reason in kernels.why_not(node, "torch")
    assert reason in kernels.explain(torch.nn.Sequential(node))
    node.backend = "torch"
    with pytest.raises(RuntimeError, match=f"backend 'torch' cannot run {type(node).__name__}"):
        node(sequence(4, 2))
    if "s" in node.supported_step_mode():
        node.step_mode = "s"
        with pytest.raises(
            RuntimeError, match=f"backend 'torch' cannot run {type(node).__name__}"
        ):
            node(sequence(2))
        node.step_mode = "m"
    node.backend = "eager"
    assert node(sequence(4, 2)).shape == (4, 2)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="PSN takes sequences of T=4 steps, got 5"):
        neuron.PSN(4)(sequence(5, 2))
    with pytest.raises(ValueError, match="supports step_mode 'm' only, got 's'"):
        neuron.PSN(4, step_mode="s")
    with pytest.raises(RuntimeError, match=r"sees later steps as long as lambda_ is .*now 0.5"):
        neuron.MaskedPSN(2, 4, 0.5)(sequence(2))
    node = neuron.MaskedPSN(1, 2, 1.0)
    node(sequence(2)), node(sequence(2))
    with pytest.raises(RuntimeError, match="has run its T=2 steps: call functional.reset_net"):
        node(sequence(2))
    node.step_mode = "m"
    with pytest.raises(ValueError, match="has run 2 single steps: call functional.reset_net"):
        node(sequence(2, 2))
    with pytest.raises(ValueError, match="k must be at most T, .* got k=5 and T=4"):
        neuron.MaskedPSN(5, 4)
    with pytest.raises(ValueError, match="lambda_init must be 0 or greater .* got -0.5"):
        neuron.MaskedPSN(2, 4, -0.5)
    with pytest.raises(ValueError, match="lambda_ must be 0 or greater"):
        node.lambda_ = -1.0
    with pytest.raises(TypeError, match="k must be an int of at least 1, got 2.0"):
        neuron.SlidingPSN(2.0)
    with pytest.raises(ValueError, match="T must be an int of at least 1, got 0"):
        neuron.PSN(0)
    with pytest.raises(ValueError, match="at least one step"):
        neuron.SlidingPSN(2, step_mode="m")(torch.zeros(0, 3))

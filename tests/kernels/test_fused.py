"""A call of a fused node against the same call of its own lines."""

import copy
import pickle
import threading

import pytest
import torch
from cases import NEURONS, TOLERANCE, sequence
from reference import relative_error
from torch import nn
from torch.autograd import forward_ad
from torch.testing._internal.two_tensor import TwoTensor

from spikeframe import functional, kernels, memory, neuron, surrogate

BACKENDS = [b for b in kernels.BACKENDS if kernels.why_not(neuron.IFNode(), b) is None]
FUSED = [b for b in BACKENDS if b != "eager"]
LIF = NEURONS[1]


def node_of(case, backend, **options):
    return case(surrogate_function=surrogate.ATan(), step_mode="m", backend=backend, **options)


def close(found, expected, through=None):
    """Compare in their own dtype, or in a coarser one that they went through."""
    assert found.dtype == expected.dtype
    assert relative_error(found, expected.double()) < TOLERANCE[through or found.dtype]


@pytest.mark.parametrize("backend", FUSED)
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
def test_integers_are_read_as_float32(backend, dtype):
    x_seq = (sequence((3,)) > 0.5).to(dtype)
    spikes = node_of(LIF, backend)(x_seq)
    assert spikes.dtype == torch.float32
    assert torch.equal(spikes, node_of(LIF, "eager")(x_seq))


@pytest.mark.parametrize("backend", FUSED)
@pytest.mark.parametrize("case", NEURONS, ids=str)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_grad_modes(backend, case, mode):
    node, x_seq = node_of(case, backend), sequence((3,))
    with mode():
        spikes = node(x_seq)
    assert torch.equal(spikes, node_of(case, "eager")(x_seq))
    expected = mode is torch.enable_grad and bool(list(node.parameters()))
    assert spikes.requires_grad == node.v.requires_grad == expected
    assert node.v.is_inference() == (mode is torch.inference_mode)
    functional.reset_net(node)
    # What the first call found in that mode does not stay behind.
    x_seq.requires_grad_()
    node(x_seq).sum().backward()
    assert x_seq.grad.abs().sum() > 0


@pytest.mark.parametrize("backend", FUSED)
def test_autocast_changes_nothing(backend):
    net = nn.Sequential(nn.Linear(3, 4), node_of(LIF, backend))
    plain = copy.deepcopy(net)
    functional.set_backend(plain, "eager")
    grads = []
    for each in (net, plain):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            spikes = each(sequence((2, 3)))
        assert spikes.dtype == torch.bfloat16
        assert each[1].v.dtype == torch.float32
        spikes.float().sum().backward()
        grads.append((spikes, each[0].weight.grad))
    assert torch.equal(grads[0][0], grads[1][0])
    close(grads[0][1], grads[1][1], through=torch.bfloat16)


@pytest.mark.parametrize("backend", FUSED)
@pytest.mark.parametrize("case", NEURONS, ids=str)
@pytest.mark.parametrize("use", ["spikes", "state", "last spike"])
def test_a_part_of_the_results_may_be_used(backend, case, use):
    grads = []
    for name in (backend, "eager"):
        node, x_seq = node_of(case, name), sequence((3,)).requires_grad_()
        first = torch.full((3,), 0.25, requires_grad=True)
        node.v = first
        spikes = node(x_seq)
        loss = {"spikes": spikes, "state": node.v, "last spike": spikes[-1]}[use].sum()
        grads.append(torch.autograd.grad(loss, [x_seq, first, *node.parameters()]))
    for found, expected in zip(*grads, strict=True):
        close(found, expected)


@pytest.mark.parametrize("backend", FUSED)
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_the_state_carries_its_graph_until_it_is_detached(backend, case):
    grads = []
    for name in (backend, "eager"):
        node, x_seq = node_of(case, name), sequence((3,)).requires_grad_()
        node(x_seq[:3])
        after = node(x_seq[3:])
        (through,) = torch.autograd.grad(after.sum(), x_seq)
        node.reset()
        node(x_seq[:3])
        functional.detach_net(node)
        (cut,) = torch.autograd.grad(node(x_seq[3:]).sum(), x_seq)
        assert through[:3].abs().sum() > 0
        assert not cut[:3].any()
        grads.append((through, cut))
    for found, expected in zip(*grads, strict=True):
        close(found, expected)


@pytest.mark.parametrize("backend", FUSED)
def test_a_learnable_parameter_may_be_frozen_and_thawed(backend):
    node, x_seq = node_of(NEURONS[3], backend), sequence((3,))
    for wanted in (True, False, True):
        node.reset()
        node.w.requires_grad_(wanted)
        node.w.grad = None
        spikes = node(x_seq)
        assert spikes.requires_grad == wanted
        if wanted:
            spikes.sum().backward()
            assert node.w.grad.abs() > 0


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_backends_take_over_a_live_state(case):
    mixed, plain = node_of(case, "auto"), node_of(case, "eager")
    x_seq, x = sequence((3,)).requires_grad_(), sequence((3,)).requires_grad_()
    losses = [0.0, 0.0]
    for t, name in enumerate((*BACKENDS, *BACKENDS)):
        mixed.backend = name
        spikes, expected = mixed(x_seq[t : t + 1]), plain(x[t : t + 1])
        assert torch.equal(spikes, expected)
        losses = [losses[0] + spikes.sum(), losses[1] + expected.sum()]
    close(*(torch.autograd.grad(loss, i)[0] for loss, i in zip(losses, (x_seq, x), strict=True)))


@pytest.mark.parametrize("backend", [*FUSED, "auto"])
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_a_second_derivative_is_refused_with_the_remedy(backend, case):
    node, x_seq = node_of(case, backend), sequence((3,)).requires_grad_()
    with pytest.raises(RuntimeError, match=r"create_graph=True.*use backend='eager'"):
        torch.autograd.grad(node(x_seq).sum(), x_seq, create_graph=True)
    node.reset()
    spikes = node(x_seq)
    with pytest.raises(RuntimeError, match="use backend='eager'"):
        torch.autograd.grad(spikes, x_seq, torch.ones(2, *spikes.shape), is_grads_batched=True)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_forward_mode_runs_eagerly_or_is_refused(case):
    x_seq, tangent = sequence((3,)), torch.ones(7, 3)
    found = []
    for backend in (*FUSED, "auto", "eager"):
        node = node_of(case, backend)
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(x_seq, tangent)
            if backend in FUSED:
                with pytest.raises(RuntimeError, match="forward-mode.*backend='eager'"):
                    node(dual)
                continue
            found.append(forward_ad.unpack_dual(node(dual)).tangent)
    assert found[0].abs().sum() > 0
    assert torch.equal(*found)


@pytest.mark.parametrize("backend", FUSED)
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_checkpoints_and_copies(backend, case):
    node, x_seq = node_of(case, backend), sequence((3,)).requires_grad_()
    plain = node(x_seq)
    copies = [copy.deepcopy(node), pickle.loads(pickle.dumps(node))]
    expected = node(x_seq)
    assert all(torch.equal(other(x_seq), expected) for other in copies)
    (grad,) = torch.autograd.grad(plain.sum(), x_seq)
    node.reset()
    again = memory.checkpoint(node, x_seq)
    assert torch.equal(again, plain)
    assert torch.equal(torch.autograd.grad(again.sum(), x_seq)[0], grad)
    node.reset()
    replica = node._replicate_for_data_parallel()
    for name, parameter in node.named_parameters():
        setattr(replica, name, parameter.clone())
    assert torch.equal(replica(x_seq), plain)


def test_threads_run_their_own_nodes():
    x_seq, found = sequence((3, 5)), {}
    expected = [str(node_of(case, "eager")(x_seq)) for case in NEURONS]

    def work(i):
        node = node_of(NEURONS[i], FUSED[-1])
        found[i] = [str(node(x_seq).detach()) for _ in range(20) if node.reset() is None]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(NEURONS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, text in enumerate(expected):
        assert set(found[i]) == {text.split(", grad_fn")[0].rstrip(")") + ")"}


@pytest.mark.parametrize("backend", FUSED)
def test_parameters_that_enlarge_the_input_say_what_eager_says(backend):
    messages = []
    for name in (backend, "eager"):
        node = neuron.IFNode(v_threshold=torch.ones(4, 3), step_mode="m", backend=name)
        with pytest.raises(ValueError, match="does not broadcast to the input") as error:
            node(sequence((3,)))
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_what_only_eager_serves_runs_eagerly_or_says_why():
    cases = {
        "float8": (neuron.IFNode, {}, sequence((3,)).to(torch.float8_e5m2)),
        "Sub, not a plain tensor": (neuron.IFNode, {}, sequence((3,)).as_subclass(Sub)),
    }
    for reason, (make, options, x_seq) in cases.items():
        auto, eager = (make(step_mode="m", backend=b, **options) for b in ("auto", "eager"))
        assert torch.equal(auto(x_seq).float(), eager(x_seq).float())
        for backend in FUSED:
            node = make(step_mode="m", backend=backend, **options)
            with pytest.raises(RuntimeError, match=f"{reason}.*backend='auto'"):
                node(x_seq)


class Sub(torch.Tensor):
    """A tensor of another class."""


@pytest.mark.parametrize("name", ["tau", "v"])
def test_parameters_and_states_of_another_class_run_by_the_lines(name):
    """Some have no memory of their own, which a kernel would go through."""
    x_seq, value = sequence((3,)), torch.full((3,), 2.5)
    for backend in ("auto", "eager", *FUSED):
        node = neuron.LIFNode(step_mode="m", backend=backend)
        setattr(node, name, TwoTensor(value, value.clone()))
        if backend in FUSED:
            with pytest.raises(RuntimeError, match="a TwoTensor, not a plain tensor"):
                node(x_seq)
            continue
        node(x_seq)
        plain = neuron.LIFNode(step_mode="m", backend="eager")
        setattr(plain, name, value)
        plain(x_seq)
        assert torch.equal(node.v.a, plain.v)
        assert torch.equal(node.v.b, plain.v)


@pytest.mark.parametrize("backend", FUSED)
def test_inputs_of_several_dtypes_meet_in_the_wider(backend):
    class Modulated(neuron.BaseNode):
        def neuronal_charge(self, x, gain):
            self.v = self.v + gain * x

    x_seq, gain = sequence((3,), dtype=torch.bfloat16), sequence((3,), seed=5)
    outputs = [Modulated(step_mode="m", backend=b)(x_seq, gain) for b in (backend, "eager")]
    assert outputs[0].dtype == torch.bfloat16
    assert torch.equal(*outputs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_neuron_is_no_problem(backend):
    node, x_seq = node_of(LIF, backend), torch.zeros(4, 0, 3, requires_grad=True)
    spikes = node(x_seq)
    spikes.sum().backward()
    assert spikes.shape == x_seq.grad.shape == (4, 0, 3)

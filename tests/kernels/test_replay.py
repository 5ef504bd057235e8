"""A call like an earlier one is replayed, and only such a one."""

import copy
import gc
import pickle
import threading
import types
import weakref

import pytest
import torch
from cases import NEURONS, sequence
from spikeframe.kernels import replay
from torch import nn

from spikeframe import functional, kernels, neuron, surrogate
from spikeframe.base.spikes import are_spikes

LIF = NEURONS[1]
CASES = [case for case in NEURONS if str(case) in ("LIF", "PLIF")]

# One that has a way of its own, and one that has none.
DIRECT = [b for b in ("cpp", "torch") if kernels.why_not(neuron.IFNode(), b) is None]


@pytest.fixture(params=DIRECT)
def backend(request):
    """The name of a backend."""
    return request.param


def node_of(backend, case=LIF, **options):
    return case(surrogate_function=surrogate.ATan(), step_mode="m", backend=backend, **options)


def warm(node, x_seq, *others):
    """Call a node until its calls are replayed."""
    for _ in range(2):
        node.reset()
        node(x_seq, *others)
    assert is_replayed(node, x_seq, *others)


def is_replayed(node, *inputs):
    """Whether a call from the reset state is replayed; the node is reset after it."""
    node.reset()
    spikes = kernels.replayed(node, inputs)
    node.reset()
    return spikes is not None


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("v_reset", [-0.0, -0.25, None])
def test_a_like_call_is_replayed_from_any_state(engine, case, mode, v_reset):
    node, plain = (node_of(b, case, v_reset=v_reset) for b in (engine, "eager"))
    x_seqs = [sequence((3, 5), seed=seed) for seed in range(5)]
    with mode():
        warm(node, x_seqs[0])
        for i, x_seq in enumerate(x_seqs):
            if i % 2:
                node.reset()
                plain.reset()
            assert torch.equal(node(x_seq), plain(x_seq))
            assert torch.equal(node.v, plain.v)
            assert torch.equal(node.v.signbit(), plain.v.signbit())
            functional.detach_net(node)
            functional.detach_net(plain)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_through_calls_that_carry_the_state(engine, case):
    grads = []
    for name in (engine, "eager"):
        node, x_seq = node_of(name, case), sequence((3, 5), T=8).requires_grad_()
        for _ in range(3):
            node.reset()
            node.v = first = torch.full((3, 5), 0.25, requires_grad=True)
            spikes = [node(part) for part in x_seq.split(2)]
            loss = sum(s.sum() for s in spikes) + node.v.sum()
            found = torch.autograd.grad(loss, [x_seq, first, *node.parameters()])
        grads.append(found)
    for found, expected in zip(*grads, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_single_steps_are_replayed_too(backend):
    nodes = [node_of(b) for b in (backend, "eager")]
    x_seq, grads = sequence((3, 5)), []
    for node in nodes:
        node.step_mode = "s"
        for _ in range(2):
            node.reset()
            x = x_seq.clone().requires_grad_()
            (grad,) = torch.autograd.grad(sum(node(step).sum() for step in x), x)
        grads.append(grad)
    assert is_replayed(nodes[0], x_seq[:1])
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-5)


CHANGES = {
    "tau": lambda node: setattr(node, "tau", 1.7),
    "int": lambda node: setattr(node, "tau", 3),
    "threshold": lambda node: setattr(node, "v_threshold", 0.6),
    "reset": lambda node: setattr(node, "v_reset", -0.125),
    "negative zero": lambda node: setattr(node, "v_reset", -0.0),
    "soft reset": lambda node: setattr(node, "v_reset", None),
    "parameter": lambda node: setattr(node, "tau", nn.Parameter(torch.tensor(1.9))),
    "tensor": lambda node: setattr(node, "v_threshold", torch.linspace(0.5, 1, 5)),
    "surrogate": lambda node: setattr(node, "surrogate_function", surrogate.Sigmoid()),
    "surrogate, unregistered": lambda node: node._modules.update(
        surrogate_function=surrogate.Sigmoid()
    ),
    "alpha": lambda node: setattr(node.surrogate_function, "alpha", 5.0),
    "strict": lambda node: setattr(node.surrogate_function, "strict", True),
    "detach": lambda node: setattr(node, "detach_reset", True),
    "decay": lambda node: setattr(node, "decay_input", False),
    "reset value": lambda node: node.set_reset_value("v", 0.125),
    "state": lambda node: setattr(node, "v", 0.25),
    "method": lambda node: setattr(node, "neuronal_reset", lambda spike: None),
    "in the dictionary": lambda node: node.__dict__.update(tau=1.7),
    "stored sequence": lambda node: setattr(node, "store_v_seq", True),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("grad", [False, True])
def test_a_changed_node_is_what_runs(backend, change, grad):
    results, x_seq = [], sequence((3, 5)) * 2
    for name in (backend, "eager"):
        node, x = node_of(name), x_seq.clone().requires_grad_(grad)
        if name == backend:
            warm(node, x)
        node.reset()
        CHANGES[change](node)
        spikes = node(x)
        v_seq = node.v_seq
        results.append([spikes, node.v])
        if v_seq is not None:
            results[-1].append(v_seq)
        if grad:
            results[-1] += torch.autograd.grad(
                spikes.sum() + node.v.sum(), [x, *node.parameters()]
            )
    assert len(results[0]) == len(results[1])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def _other_charge(self, x):
    self.v = self.v + 0.25 * x


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (neuron.LIFNode, "neuronal_charge", _other_charge),
        (neuron.BaseNode, "neuronal_reset", lambda self, spike: None),
        (neuron.BaseNode, "surrogate_function", staticmethod(lambda u: (u > -0.5).to(u))),
        (neuron.BaseNode, "tau", property(lambda self: 1.5)),
        (surrogate.ATan, "fire", lambda self, u: (u > 0.2).to(u.dtype)),
        (surrogate.ATan, "alpha", property(lambda self: 9.0)),
        (neuron.LIFNode.neuronal_charge, "__code__", _other_charge.__code__),
    ],
)
def test_a_changed_class_is_what_runs(backend, monkeypatch, owner, name, value):
    node, plain, x_seq = node_of(backend), node_of("eager"), sequence((3, 5)) * 2
    warm(node, x_seq)
    monkeypatch.setattr(owner, name, value, raising=False)
    node.backend = "auto"
    node.reset()
    assert torch.equal(node(x_seq), plain(x_seq))
    assert torch.equal(node.v, plain.v)


INPUTS = {
    "values": (lambda x: x * 0.5, True),
    "steps": (lambda x: x[:3], False),
    "shape": (lambda x: x.mT, False),
    "strides": (lambda x: x.mT.contiguous().mT, False),
    "expanded": (lambda x: x[:1].expand_as(x), False),
    "double": (lambda x: x.double(), False),
    "half": (lambda x: x.half(), False),
    "integers": (lambda x: x.int(), False),
    "negated view": (lambda x: torch._neg_view(x), False),
    "Parameter": (lambda x: nn.Parameter(x), False),
    "subclass": (lambda x: x.as_subclass(Sub), False),
}


class Sub(torch.Tensor):
    """A tensor of another class."""


@pytest.mark.parametrize("kind", INPUTS)
def test_another_input_goes_the_long_way_once(backend, kind):
    node, plain, x_seq = node_of(backend), node_of("eager"), sequence((3, 5)) * 2
    warm(node, x_seq)
    change, replayed = INPUTS[kind]
    x = change(x_seq)
    assert is_replayed(node, x) == replayed
    if kind == "subclass":
        node.backend = "auto"
    for _ in range(3):
        for each in (node, plain):
            each.reset()
        spikes = node(x)
        assert torch.equal(spikes, plain(x))
        assert spikes.dtype == plain(x).dtype
    node.backend = backend
    assert is_replayed(node, x_seq)


def test_a_state_that_does_not_fit_is_told_as_ever(backend):
    node, x_seq = node_of(backend), sequence((3, 5))
    warm(node, x_seq)
    for v, message in (
        (torch.zeros(4), "v has shape .4. but the input is .3, 5."),
        (torch.zeros(3, 5, dtype=torch.float64), "v is float64 but the input"),
    ):
        node.v = v
        with pytest.raises(ValueError, match=message):
            node(x_seq)
    node.v = torch.full((5, 3), 0.5).mT
    expected = node_of("eager")
    expected.v = torch.full((3, 5), 0.5)
    assert torch.equal(node(x_seq), expected(x_seq))


def test_a_state_of_a_finished_graph_is_announced(backend):
    node, x_seq = node_of(backend), sequence((3, 5)).requires_grad_()
    warm(node, x_seq)
    node(x_seq).sum().backward()
    loss = node(x_seq).sum()
    with (
        pytest.warns(UserWarning, match="functional.reset_net"),
        pytest.raises(RuntimeError, match="backward through the graph a second time"),
    ):
        loss.backward()
    node.reset()
    node(x_seq).sum().backward(retain_graph=True)
    assert kernels.replayed(node, (x_seq,)) is None
    node(x_seq).sum().backward()
    node.reset()
    node(x_seq)
    assert kernels.replayed(node, (x_seq,)) is not None


def test_transforms_and_other_backends_are_not_overlooked(backend):
    node, x_seq = node_of(backend), sequence((3, 5))
    warm(node, x_seq)
    with torch.autograd.forward_ad.dual_level():
        assert not is_replayed(node, x_seq)
    node.backend = "eager"
    assert not is_replayed(node, x_seq)
    node.backend = backend
    assert is_replayed(node, x_seq)
    torch.set_default_dtype(torch.float64)
    try:
        assert not is_replayed(node, x_seq)
    finally:
        torch.set_default_dtype(torch.float32)
    spikes = node(x_seq.requires_grad_())
    with pytest.raises(RuntimeError, match="use backend='eager'"):
        torch.autograd.grad(spikes.sum(), x_seq, create_graph=True)


def test_saved_tensors_that_were_changed_are_refused(backend):
    node = node_of(backend, tau=nn.Parameter(torch.tensor(2.0)))
    x_seq = sequence((3, 5)).requires_grad_()
    warm(node, x_seq)
    spikes = node(x_seq)
    with torch.no_grad():
        node.tau.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        spikes.sum().backward()


def test_a_learnable_parameter_frozen_and_thawed(backend):
    node, plain = (node_of(b, tau=nn.Parameter(torch.tensor(2.5))) for b in (backend, "eager"))
    x_seq = sequence((3, 5))
    warm(node, x_seq)
    for wanted in (True, False, True):
        for each in (node, plain):
            each.reset()
            each.tau.grad = None
            each.tau.requires_grad_(wanted)
        spikes, expected = node(x_seq), plain(x_seq)
        assert torch.equal(spikes, expected)
        assert spikes.requires_grad == wanted
        if wanted:
            spikes.sum().backward()
            expected.sum().backward()
            torch.testing.assert_close(node.tau.grad, plain.tau.grad)


def test_hooks_of_the_node_run(backend):
    node, x_seq, seen = node_of(backend), sequence((3, 5)), []
    warm(node, x_seq)
    node.register_forward_hook(lambda module, inputs, output: seen.append(output))
    spikes = node(x_seq)
    assert seen[0] is spikes


def test_calls_of_ever_other_shapes_are_not_kept(backend):
    node = node_of(backend)
    for size in range(1, 12):
        node.reset()
        node(sequence((size,)))
    assert node not in replay.KEPT
    for size in range(1, 8):
        for _ in range(2):
            node.reset()
            node(sequence((size,)))
    assert len(replay.KEPT[node]) == replay.MOST_KEPT


def test_copies_are_kept_apart_and_nodes_let_go(backend):
    node, x_seq = node_of(backend), sequence((3, 5))
    warm(node, x_seq)
    for other in (copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
        assert not is_replayed(other, x_seq)
        other.tau = 1.5
        plain = node_of("eager", tau=1.5)
        warm(other, x_seq)
        assert torch.equal(other(x_seq), plain(x_seq))
    gone = weakref.ref(node)
    del node
    gc.collect()
    assert gone() is None


def test_threads_share_a_net_without_states(backend):
    """Each thread its own nodes, of one class and surrogate function."""
    function, x_seq, found = surrogate.ATan(), sequence((3, 5)), {}
    expected = node_of("eager")(x_seq)

    def work(i):
        node = neuron.LIFNode(2.7, surrogate_function=function, step_mode="m", backend=backend)
        outputs = []
        for _ in range(50):
            node.reset()
            outputs.append(node(x_seq))
        found[i] = all(torch.equal(spikes, expected) for spikes in outputs)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(4), True)


def test_without_gradients_the_program_without_a_backward_runs(backend):
    node, x_seq = node_of(backend), sequence((3, 5)).requires_grad_()
    warm(node, x_seq)
    (kept,) = replay.KEPT[node]
    assert set(kept.launches) == {()}
    with torch.no_grad():
        assert is_replayed(node, x_seq)
    assert set(kept.launches) == {(), None}


def test_cotangents_in_any_layout(backend):
    node, x_seq = node_of(backend), sequence((3, 4)).requires_grad_()
    warm(node, x_seq)
    weight = sequence((3, 4), seed=1)
    expected = torch.autograd.grad(node(x_seq), x_seq, weight)[0]
    for cotangent in (
        weight.mT.contiguous().mT,
        torch.stack((weight, weight), -1)[..., 0],
        torch._neg_view(-weight),
    ):
        node.reset()
        assert torch.equal(torch.autograd.grad(node(x_seq), x_seq, cotangent)[0], expected)
    node.reset()
    ones = torch.autograd.grad(node(x_seq), x_seq, torch.ones_like(weight))[0]
    node.reset()
    assert torch.equal(torch.autograd.grad(node(x_seq).sum(), x_seq)[0], ones)


def _louder(self, seqs):
    return neuron.LIFNode.run_sequences(self, [1.5 * seq for seq in seqs])


def _primed(self, x, names=None):
    neuron.LIFNode.fit_memories(self, x, names)
    self.v = self.v + 0.25


@pytest.mark.parametrize(
    ("name", "method"), [("run_sequences", _louder), ("fit_memories", _primed)]
)
@pytest.mark.parametrize("where", ["class", "mixin", "instance"])
def test_what_stands_before_the_kernel_sees_every_call(backend, name, method, where):
    bases, changes = (neuron.LIFNode,), {name: method} if where == "class" else {}
    if where == "mixin":
        bases = (type("Mixin", (), {name: method}), *bases)
    made = type("Made", bases, {**changes, "__doc__": "A changed neuron."})
    nodes = [made(2.7, step_mode="m", backend=name) for name in (backend, "eager")]
    for seed in range(4):
        results = []
        for node in nodes:
            if where == "instance":
                setattr(node, name, types.MethodType(method, node))
            node.reset()
            results.append([node(sequence((3, 5), seed=seed)), node.v])
        assert all(map(torch.equal, *results))


@pytest.mark.parametrize("where", ["class", "instance"])
@pytest.mark.parametrize("name", ["run_sequences", "multi_step_forward"])
def test_what_comes_to_stand_between_later_is_seen(backend, name, where, monkeypatch):
    made = type("Made", (neuron.LIFNode,), {"__doc__": "A neuron to be changed."})
    node, x_seq = made(2.7, step_mode="m", backend=backend), sequence((3, 5)) * 2
    warm(node, x_seq)
    expected = node(x_seq)

    def doubled(self, *args):
        return 2 * getattr(neuron.LIFNode, name)(self, *args)

    if where == "class":
        monkeypatch.setattr(made, name, doubled)
    else:
        setattr(node, name, types.MethodType(doubled, node))
    node.reset()
    assert expected.any()
    assert torch.equal(node(x_seq), 2 * expected)


def test_what_torch_func_has_left_behind_goes_the_long_way(backend):
    node, x_seq, left = node_of(backend), sequence((3, 5)).requires_grad_(), []
    warm(node, x_seq)
    torch.func.grad(lambda x: left.append(x) or x.sum())(x_seq.detach())
    assert not is_replayed(node, left[0])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_spikes_of_a_replay_are_marked_as_such(backend, mode):
    node, x_seq = node_of(backend), sequence((3, 5)) * 2
    with mode():
        warm(node, x_seq)
        spikes = kernels.replayed(node, (x_seq,))
        assert spikes.is_inference() or are_spikes(spikes)
        node.surrogate_function = surrogate.Sigmoid(spiking=False)
        warm(node, x_seq)
        values = kernels.replayed(node, (x_seq,))
        assert values.is_inference() or not are_spikes(values)


def test_what_is_saved_may_change_between_calls(backend):
    """A call that comes again saves as the node says now."""
    node = neuron.LIFNode(step_mode="m", backend=backend)
    x_seq = sequence((3, 5)).requires_grad_()

    def saved():
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
            functional.reset_net(node)
            node(x_seq)
        return [t for t in kept if t.shape == x_seq.shape and t.data_ptr() != x_seq.data_ptr()]

    assert [len(saved()) for _ in range(4)] == [1, 1, 1, 1]
    node.save = "input"
    assert saved() == []
    node.save = "auto"
    assert len(saved()) == 1

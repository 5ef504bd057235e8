"""save='input': the same gradients, and nothing kept beyond the input."""

import pytest
import torch
from cases import NEURONS, sequence
from foreign_neurons import FOREIGN, Refractory
from naming import shown
from reference import relative_error

from spikeframe import functional, kernels, neuron, surrogate

# The engines that run here without a stand-in.
FAST = [b for b in ("cpp", "torch") if kernels.why_not(neuron.IFNode(), b) is None]

NODES = [(str(case), case, 1, (3, 7)) for case in NEURONS]
NODES += [(name, build, n, (2, 4, 3)) for name, build, n in FOREIGN]


def run(build, n, shape, T, backend, save, expanded=False, **options):
    node = build(step_mode="m", backend=backend, **options)
    node.save = save
    x_seqs = [sequence(shape, T, seed=i).requires_grad_() for i in range(n)]
    if expanded:
        x_seqs[0] = x_seqs[0][0].detach().requires_grad_()
    given = [x_seqs[0].expand(T, *shape) if expanded else x_seqs[0], *x_seqs[1:]]
    states = []
    for i, (name, _) in enumerate(list(node.named_memories())):
        states.append(sequence(shape, 1, seed=7 + i)[0].requires_grad_())
        node.load_memory(name, states[-1])
    values = [node(*given), *node.memories()]
    if node.store_v_seq:
        values.append(node.v_seq)
    weights = [torch.rand(v.shape, generator=torch.Generator().manual_seed(3)) for v in values]
    data, learned = [*x_seqs, *states], list(node.parameters())
    grads = torch.autograd.grad(values, [*data, *learned], weights, allow_unused=True)
    return values, grads[: len(data)], grads[len(data) :]


@pytest.mark.parametrize(("name", "build", "n", "shape"), NODES, ids=shown)
@pytest.mark.parametrize("backend", FAST)
def test_the_same_bits(backend, name, build, n, shape):
    for T in (1, 31, 32, 33, 100):
        check_bits(backend, build, n, shape, T)


def test_the_same_bits_on_every_engine(engine):
    check_bits(engine, Refractory, 1, (2, 4, 3), 33)


def check_bits(engine, build, n, shape, T):
    """Compare a call that saves its input with one that saves what the program needs."""
    for options in ({}, {"store_v_seq": True}):
        found = run(build, n, shape, T, engine, "input", **options)
        expected = run(build, n, shape, T, engine, "auto", **options)
        for a, b in zip((*found[0], *found[1]), (*expected[0], *expected[1]), strict=True):
            assert (a is None) == (b is None)
            assert a is None or torch.equal(a, b) or a.isnan().equal(b.isnan())
        # A parameter's gradient is a sum over time, taken 32 steps at a time.
        for a, b in zip(found[2], expected[2], strict=True):
            assert torch.equal(a, b) if T <= 32 else relative_error(a, b) < 1e-6


@pytest.mark.parametrize("T", [32, 70])
@pytest.mark.parametrize("engine", FAST)
def test_an_input_that_is_the_same_at_every_step(engine, T):
    for save in ("auto", "input"):
        values, (x, *_), _ = run(neuron.LIFNode, 1, (3, 7), T, engine, save, expanded=True)
        assert x.shape == (3, 7)
        if save == "auto":
            expected = (values, x)
    assert torch.equal(values[0], expected[0][0])
    assert torch.equal(x, expected[1])


@pytest.mark.parametrize("T", [1, 31, 32, 33, 100])
@pytest.mark.parametrize("build", [neuron.LIFNode, neuron.ParametricLIFNode, Refractory])
@pytest.mark.parametrize("engine", FAST)
def test_what_is_saved(engine, build, T):
    saved = {}
    for save in ("auto", "input"):
        node = build(step_mode="m", backend=engine)
        node.save = save
        x_seq, kept = sequence((2, 4, 3), T).requires_grad_(), []
        known = {x_seq.data_ptr(), *(p.data_ptr() for p in node.parameters())}

        def pack(tensor, kept=kept, known=known):
            if tensor.data_ptr() not in known:
                kept.append(tensor)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            node(x_seq)
        saved[save] = sum(t.numel() * t.element_size() for t in kept)
        states = len(list(node.memories()))
    step = 24 * 4
    derived = step if build is neuron.ParametricLIFNode else 0  # the sigmoid of its w
    assert saved["input"] <= step * states * (1 + (T - 1) // 32) + derived
    assert saved["auto"] >= step * T
    assert T < 32 or saved["input"] < saved["auto"] / 5


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("engine", FAST)
def test_other_dtypes(engine, dtype):
    grads = []
    for save in ("input", "auto"):
        node = neuron.LIFNode(step_mode="m", backend=engine, surrogate_function=surrogate.ATan())
        node.save = save
        x_seq = sequence((3, 7), 70, dtype=dtype).requires_grad_()
        node(x_seq).sum().backward()
        grads.append(x_seq.grad)
    error = relative_error(grads[0], grads[1].double())
    assert error == 0 if dtype == torch.float64 else error < 1e-2


def test_without_gradients_nothing_changes(engine):
    node = neuron.LIFNode(step_mode="m", backend=engine)
    x_seq = sequence((3, 7), 70)
    expected = node(x_seq)
    node.reset()
    node.save = "input"
    assert torch.equal(node(x_seq), expected)


def test_lines_cannot_save_the_input_only():
    for options in ({"backend": "eager"}, {"surrogate_function": lambda u: torch.cumsum(u, 0)}):
        node, x_seq = neuron.LIFNode(step_mode="m", **options), sequence((3,))
        node.save = "input"
        node(x_seq)  # nothing is saved
        with pytest.raises(RuntimeError, match=r"LIFNode has save='input', .*memory\.checkpoint"):
            node(x_seq.requires_grad_())
    node = neuron.LIFNode()
    node.save = "input"
    node(sequence((3,))[0].requires_grad_()).sum().backward()  # one step has nothing to leave out


def test_names_are_checked():
    node = neuron.LIFNode()
    assert node.save == "auto"
    with pytest.raises(ValueError, match="save must be 'auto' or 'input', got 'all'"):
        node.save = "all"
    with pytest.raises(ValueError, match="save must be 'auto' or 'input', got 'all'"):
        functional.set_save(node, "all")


def test_nets_are_set_and_explained():
    net = torch.nn.Sequential(
        torch.nn.Linear(2, 2),
        neuron.LIFNode(),
        neuron.ParametricLIFNode(),
        neuron.IFNode(backend="eager"),
        neuron.LIFNode(surrogate_function=surrogate.Rect(), detach_reset=True),
        neuron.LIFNode(surrogate_function=lambda u: torch.cumsum(u, 0)),
    )
    assert [row[4] for row in rows(net)] == ["saved", "4", "4", "-", "0.25", "-"]
    functional.set_save(net, "input", neuron.ParametricLIFNode)
    assert [node.save for node in net[1:]] == ["auto", "input", "auto", "auto", "auto"]
    assert [row[4] for row in rows(net)] == ["saved", "4", "0", "-", "0.25", "-"]
    with pytest.warns(
        UserWarning, match=r"set_save\('input'\) leaves .*3: its backend.*5: .*cumsum"
    ):
        functional.set_save(net, "input")
    assert [node.save for node in net[1:]] == ["input", "input", "auto", "input", "auto"]
    functional.set_save(net, "auto")
    assert {node.save for node in net[1:]} == {"auto"}
    with pytest.raises(TypeError, match="instance must be a class"):
        functional.set_save(net, "input", "LIFNode")


def rows(net):
    return [line.split() for line in kernels.explain(net).splitlines()]

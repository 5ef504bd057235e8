"""The registered operator by itself: what torch asks of one, and what it refuses."""

import pytest
import torch
from cases import NEURONS
from foreign_neurons import FOREIGN, Refractory, TwoInputs
from operator_calls import call_of
from spikeframe.kernels.operator import BACKWARD, FORWARD
from spikeframe.kernels.parse import parse
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacrev, jvp, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from spikeframe import neuron, surrogate

SECOND = "differentiates once and in reverse.*use backend='eager'"
FORWARD_MODE = "no forward-mode derivative.*use backend='eager'"

CALLS = {
    "plain": lambda **k: call_of(neuron.LIFNode(), **k),
    "learned": lambda **k: call_of(neuron.ParametricLIFNode(), **k),
    "states": lambda **k: call_of(Refractory(), 1, (2, 4, 3), **k),
    "stored": lambda **k: call_of(Refractory(), 1, (2, 4, 3), sequences=(0, 1), **k),
    "two inputs": lambda **k: call_of(TwoInputs(), 2, **k),
    "bits": lambda **k: call_of(
        neuron.LIFNode(surrogate_function=surrogate.Rect(), detach_reset=True), **k
    ),
}


@pytest.mark.parametrize("make", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("save", ["auto", "input"])
def test_opcheck(make, save):
    check(FORWARD, *make(T=33, save=save))


@pytest.mark.parametrize("make", [CALLS["learned"], CALLS["two inputs"]], ids=["one", "two"])
def test_opcheck_of_what_saves_nothing(make):
    check(FORWARD, *make(wanted=False))


@pytest.mark.parametrize("make", [CALLS["stored"], CALLS["bits"]], ids=["values", "bits"])
def test_opcheck_of_every_engine(engine, make):
    check(FORWARD, *make(T=3, backend=engine))


def check(operator, *arguments):
    """torch's own checks: schema, autograd, fake tensors, compiled with symbolic shapes."""
    assert set(torch.library.opcheck(operator, arguments).values()) == {"SUCCESS"}


@pytest.mark.parametrize("make", CALLS.values(), ids=CALLS)
def test_opcheck_of_the_backward(make):
    call = make()
    results = [result.detach() for result in FORWARD(*call)]
    program = parse(call.program)
    used = program.n_outputs + program.n_states
    inputs = [call.x_seqs[i].detach() for i in program.saved_inputs]
    grads = [*(torch.ones_like(result) for result in results[: used - 1]), None]
    tensors = [tensor.detach() for tensor in call.tensors]
    x = call.x_seqs[0]
    end = (*call[3:], x.shape, x.stride(), x.dtype)
    check(BACKWARD, grads, results[used:], inputs, [], tensors, *end)


def test_the_operator_is_what_the_node_runs(engine):
    rows = [(case, 1, (3, 7)) for case in NEURONS] + [(b, n, (2, 4, 3)) for _, b, n in FOREIGN]
    for build, n, shape in rows:
        node = build(step_mode="m", backend=engine)
        call = call_of(node, n, shape, T=3, backend=engine)
        for (name, _), state in zip(node.named_memories(), call.states, strict=True):
            node.load_memory(name, state)
        spikes = node(*call.x_seqs)
        results = FORWARD(*call)
        last = list(node.memories())
        assert all(map(torch.equal, (spikes, *last), results))
        given = call.differentiable[: n + len(last)]
        used = [spikes, *last]
        weights = [torch.rand_like(value) for value in used]
        found = torch.autograd.grad(results[: len(used)], given, weights, allow_unused=True)
        expected = torch.autograd.grad(used, given, weights, allow_unused=True)
        for a, b in zip(found, expected, strict=True):
            assert torch.equal(a, b)


def test_gradients_that_nobody_needs_are_not_made():
    call, seen = call_of(Refractory(), 1, (2, 4, 3), sequences=(0,)), []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            if function is BACKWARD:
                seen.append([grad is None for grad in args[0]])
            return function(*args, **(kwargs or {}))

    results = FORWARD(*call)
    with Watch():
        results[0].sum().backward()
    assert seen == [[False, True, True, True, True]]


def test_a_second_derivative_is_refused(engine):
    call = call_of(neuron.ParametricLIFNode(), backend=engine)
    spikes = FORWARD(*call)[0]
    with pytest.raises(RuntimeError, match=SECOND):
        torch.autograd.grad(spikes.sum(), call.x_seqs, create_graph=True)
    with pytest.raises(RuntimeError, match=SECOND):
        torch.autograd.grad(
            FORWARD(*call)[0], call.x_seqs, torch.ones(2, *spikes.shape), is_grads_batched=True
        )
    f, x = of_input(call)
    with pytest.raises(RuntimeError, match=SECOND):
        grad(lambda x: grad(lambda x: f(x).sum())(x).sum())(x)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_forward_mode_is_refused_not_zero(engine):
    f, x = of_input(call_of(neuron.LIFNode(), backend=engine))
    with forward_ad.dual_level(), pytest.raises(RuntimeError, match=FORWARD_MODE):
        f(forward_ad.make_dual(x, torch.ones_like(x)))
    for transform in (
        lambda: jvp(f, (x,), (torch.ones_like(x),)),
        lambda: hessian(lambda x: f(x).sum())(x),
        lambda: jvp(grad(lambda x: f(x).sum()), (x,), (torch.ones_like(x),)),
        lambda: vmap(lambda x: jvp(f, (x,), (torch.ones_like(x),))[1])(torch.stack([x, x])),
    ):
        with pytest.raises(RuntimeError, match=FORWARD_MODE):
            transform()
    with forward_ad.dual_level():
        assert torch.equal(f(x), f(x))  # what has no tangent is not concerned


def of_input(call):
    """The spikes as a function of the input alone, and an input."""
    rest = [[tensor.detach() for tensor in tensors] for tensors in call[1:3]]
    return lambda x: FORWARD([x], *rest, *call[3:])[0], call.x_seqs[0].detach()


@pytest.mark.parametrize("dims", [(0, None, None), (None, 0, None), (None, None, 0), (1, 2, 0)])
def test_vmap_is_a_loop(engine, dims):
    call = call_of(Refractory(), 1, (2, 4, 3), backend=engine)
    (x,), states, (w,) = call[:3]

    def f(x, v, w):
        return FORWARD([x], [v, *states[1:]], [w], *call[3:])[0] * 1.0

    def df(x, v, w):
        return grad(lambda *given: f(*given).square().sum(), (0, 1, 2))(x, v, w)

    values = [t.detach() for t in (x, states[0], w)]
    stacked = [
        t if d is None else torch.stack([t, t * 0.7, t + 0.2], d)
        for t, d in zip(values, dims, strict=True)
    ]
    rows = [
        [t if d is None else t.select(d, i) for t, d in zip(stacked, dims, strict=True)]
        for i in range(3)
    ]
    assert torch.equal(vmap(f, dims)(*stacked), torch.stack([f(*row) for row in rows]))
    found = vmap(df, dims)(*stacked)
    for a, b in zip(found, zip(*(df(*row) for row in rows), strict=True), strict=True):
        torch.testing.assert_close(a, torch.stack(b), rtol=1e-6, atol=1e-6)


def test_jacobians_and_gradients_by_transforms(engine):
    f, x = of_input(call_of(neuron.LIFNode(), backend=engine, T=3))
    leaf = x.clone().requires_grad_()
    expected = torch.stack(
        [torch.autograd.grad(f(leaf)[-1].flatten()[i], leaf)[0] for i in range(21)]
    )
    found = jacrev(lambda x: f(x)[-1].flatten())(x)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    (plain,) = torch.autograd.grad(f(leaf).sum(), leaf)
    assert torch.equal(grad(lambda x: f(x).sum())(x), plain)


def test_a_program_without_a_backward_says_so():
    call = call_of(neuron.LIFNode(), wanted=False)
    x = call.x_seqs[0].requires_grad_()
    spikes = FORWARD([x], *call[1:])[0]
    with pytest.raises(RuntimeError, match=r"captured without gradients .*capture it again"):
        spikes.sum().backward()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda c: c._replace(backend="eager"),
            "must be one of 'auto', .*'torch'.*'eager'",
        ),
        (lambda c: c._replace(save="all"), "save must be 'auto' or 'input', got 'all'"),
        (
            lambda c: c._replace(program="print(1)"),
            r"a program starts with 'print\(1\)'",
        ),
        (lambda c: c._replace(numbers=c.numbers[1:]), "a program of 4 parameters got 1 tensors"),
        (lambda c: c._replace(positions=[4]), "positions must be below 4 and in order"),
        (lambda c: c._replace(states=[]), "1 inputs and 1 states got 1 and 0"),
        (lambda c: c._replace(states=[torch.zeros(3, 6)]), r"\[3, 6\] is not one step of"),
        (lambda c: c._replace(tensors=[torch.zeros(2)]), r"shape \[2\] does not broadcast"),
        (lambda c: c._replace(x_seqs=[torch.zeros(0, 3, 7)]), "at least one step"),
        (lambda c: c._replace(x_seqs=[torch.zeros(5, 3, 7).int()]), "got torch.int32"),
    ],
)
def test_what_does_not_fit_never_reaches_a_kernel(change, complaint):
    call = call_of(neuron.ParametricLIFNode(), wanted=False)
    FORWARD(*call)
    with pytest.raises(ValueError, match=complaint):
        FORWARD(*change(call))


def test_inputs_of_several_shapes_never_reach_a_kernel():
    call = call_of(TwoInputs(), 2, wanted=False)
    with pytest.raises(ValueError, match="inputs must have the same shape and dtype"):
        FORWARD([call.x_seqs[0], call.x_seqs[1][:, :1]], *call[1:])


def test_what_was_saved_may_be_laid_out_anew():
    call = call_of(neuron.LIFNode(), 1, (2, 4, 3, 3))
    spikes, _, u = (result.detach() for result in FORWARD(*call))
    x, grads = call.x_seqs[0], [torch.rand_like(spikes), None]
    end = (*call[3:], x.shape, x.stride(), x.dtype)
    plain = BACKWARD(grads, [u], [], [], [], *end)
    moved = u.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    assert moved.stride() != u.stride()
    assert all(map(torch.equal, BACKWARD(grads, [moved], [], [], [], *end), plain))
    with pytest.raises(ValueError, match="are not those of the program"):
        BACKWARD(grads, [u[1:]], [], [], [], *end)


def test_an_engine_that_cannot_run_here_says_why(monkeypatch):
    from spikeframe.kernels import engine as engines

    call = call_of(neuron.LIFNode(), wanted=False, backend="auto")
    for name, row in engines.BACKENDS.items():
        if row.engine is not None:
            lame = engines.Engine(
                row.engine.forward, row.engine.backward, lambda device: "it is out of order"
            )
            monkeypatch.setitem(
                engines.BACKENDS, name, engines.Backend(name, row.run, row.why_not, lame)
            )
    with pytest.raises(RuntimeError, match=r"torch: it is out of order\): capture it with"):
        FORWARD(*call)

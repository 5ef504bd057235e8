"""What holds for every surrogate, and what a user's own must do for it."""

import copy
import inspect
import math
import pickle

import pytest
import torch
from surrogates import SURROGATES
from torch import nn

from spikeframe import surrogate
from spikeframe.surrogate import Surrogate, heaviside

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
STEPS = [case for case in SURROGATES if case.step]
FIXED = [case for case in SURROGATES if not case.random]
PRIMITIVES = [case for case in SURROGATES if case.has_primitive]
POINTS = [-2.5, -1.0, -0.3, -0.01, 0.0, 0.02, 0.4, 0.9, 3.0]
PROBABILITIES = [0.0, 0.2, 0.5, 0.9, 1.0]  # PoissonPass takes nothing else

every = pytest.mark.parametrize("case", SURROGATES, ids=str)
every_fixed = pytest.mark.parametrize("case", FIXED, ids=str)

# torch's own: forward mode scripts its decompositions, dynamo makes an instance of Function.
forward_mode = pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
compiles = pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")


class Mine(Surrogate):
    """Four lines, as in the documentation."""

    def derivative(self, u):
        return 1 / (1 + u.abs()) ** 2


def inputs(case, dtype=torch.float32):
    points = POINTS if case.step or case.cls is not surrogate.PoissonPass else PROBABILITIES
    return torch.tensor(points, dtype=dtype)


def gradient(spike, u, grad=None):
    u = u.detach().requires_grad_()
    spike(u).backward(torch.ones_like(u) if grad is None else grad)
    return u.grad


def test_registry_holds_every_class():
    named = {value for value in vars(surrogate).values() if inspect.isclass(value)}
    bases = {Surrogate, surrogate.SurrogateFunctionBase, surrogate.MultiArgsSurrogateFunctionBase}
    assert {case.cls for case in SURROGATES} == named - bases


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", [None, *STEPS], ids=str)
def test_forward_is_the_step_of_either_convention(case, dtype):
    tiny = torch.finfo(dtype).tiny
    u = torch.tensor(
        [-1, -tiny, -0.0, 0.0, tiny, 1, torch.nan, torch.inf, -torch.inf], dtype=dtype
    )
    loose = torch.tensor([0, 0, 1, 1, 1, 1, 0, 1, 0], dtype=dtype)
    strict = torch.tensor([0, 0, 0, 0, 1, 1, 0, 1, 0], dtype=dtype)
    torch.testing.assert_close(heaviside(u) if case is None else case.make()(u), loose)
    result = heaviside(u, strict=True) if case is None else case.make(strict=True)(u)
    torch.testing.assert_close(result, strict)


@every_fixed
def test_backward_is_grad_times_derivative(case):
    u, spike = inputs(case), case.make()
    grad = torch.linspace(-3, 3, u.numel())
    torch.testing.assert_close(gradient(spike, u, grad), grad * spike.derivative(u))


@pytest.mark.parametrize("case", PRIMITIVES, ids=str)
def test_derivative_is_that_of_the_primitive(case):
    u = torch.cat([torch.linspace(-6, 6, 997, dtype=torch.float64), torch.zeros(1).double()])
    for kink in case.kinks:
        u = u[(u - kink).abs() > 1e-6]
    u.requires_grad_()
    spike = case.make(spiking=False)
    spike(u).sum().backward()
    torch.testing.assert_close(u.grad, spike.derivative(u.detach()), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", PRIMITIVES, ids=str)
def test_primitive_and_its_slope_are_never_nan(case, dtype):
    u = torch.tensor([0, 1, 50, 1e4, torch.inf], dtype=dtype)
    u = torch.cat([-u, u]).requires_grad_()
    result = case.make(spiking=False)(u)
    result.sum().backward()
    assert result.dtype == dtype
    assert not result.isnan().any()
    assert u.grad.isfinite().all()


@pytest.mark.parametrize("dtype", FLOATS)
@every
def test_derivative_is_finite_everywhere(case, dtype):
    # A readout with a threshold of 1e9 or inf asks for these.
    tiny = torch.finfo(dtype).smallest_normal
    u = torch.tensor([0, tiny / 2, tiny, 0.5, 1, 100, 1e9, 1e38, torch.inf], dtype=dtype)
    u = torch.cat([-u, u])
    derivative = case.make().derivative(u)
    assert derivative.dtype == dtype
    assert derivative.isfinite().all()
    if case.cls is not surrogate.PoissonPass:
        result = gradient(case.make(), u, torch.full_like(u, 10.0))
        assert result.dtype == dtype
        assert result.isfinite().all()


@pytest.mark.parametrize("dtype", FLOATS)
@every
def test_dtype_is_kept(case, dtype):
    u = inputs(case, dtype).requires_grad_()
    spikes = case.make()(u)
    spikes.sum().backward()
    assert spikes.dtype == u.grad.dtype == dtype


@every_fixed
def test_second_derivative_is_that_of_the_derivative(case):
    u = inputs(case, torch.float64).requires_grad_()
    spike = case.make()
    (first,) = torch.autograd.grad(spike(u).sum(), u, create_graph=True)
    derivative = spike.derivative(u)
    if not derivative.requires_grad:
        assert not first.requires_grad
        return
    (second,) = torch.autograd.grad(first.sum(), u)
    (expected,) = torch.autograd.grad(derivative.sum(), u)
    torch.testing.assert_close(second, expected)


@every
def test_second_derivative_is_finite(case):
    if case.cls is surrogate.PoissonPass:
        u = torch.tensor(PROBABILITIES, requires_grad=True)
    else:
        u = torch.tensor([0.0, 1e-30, 0.5, 1, 100, 1e9])
        u = torch.cat([-u, u]).requires_grad_()
    (first,) = torch.autograd.grad(case.make()(u).sum(), u, create_graph=True)
    (first.sum() + 0 * u.sum()).backward()
    assert u.grad.isfinite().all()


@forward_mode
@every_fixed
def test_functional_transforms_agree(case):
    u, spike = inputs(case), case.make()
    expected, ones = spike.derivative(u), torch.ones_like(u)
    randomness = "different" if case.cls is surrogate.PoissonPass else "error"
    vmap = torch.func.vmap(spike, randomness=randomness)
    if randomness == "error":
        torch.testing.assert_close(vmap(u), spike(u))
    per_sample = torch.func.vmap(torch.func.grad(spike), randomness=randomness)
    torch.testing.assert_close(per_sample(u), expected)
    torch.testing.assert_close(torch.func.grad(lambda x: vmap(x).sum())(u), expected)
    torch.testing.assert_close(torch.func.jvp(spike, (u,), (ones,))[1], expected)
    torch.testing.assert_close(torch.func.jvp(vmap, (u,), (ones,))[1], expected)
    with torch.no_grad():
        torch.testing.assert_close(torch.func.jvp(vmap, (u,), (ones,))[1], expected)
        torch.testing.assert_close(torch.func.grad(lambda x: spike(x).sum())(u), expected)


@forward_mode
@every_fixed
def test_forward_mode_agrees(case):
    u, spike = inputs(case), case.make()
    tangent = torch.linspace(-1, 2, u.numel())
    for grad in (True, False):
        with torch.set_grad_enabled(grad), torch.autograd.forward_ad.dual_level():
            dual = spike(torch.autograd.forward_ad.make_dual(u, tangent))
            result = torch.autograd.forward_ad.unpack_dual(dual).tangent
        torch.testing.assert_close(result, tangent * spike.derivative(u))


@forward_mode
def test_hessian_is_the_derivative_of_the_derivative():
    u = torch.tensor([-0.5, 0.3], dtype=torch.float64)
    alpha, v = 2.0, math.pi * u
    expected = torch.diag(-alpha * math.pi * v / (1 + v * v) ** 2)
    hessian = torch.func.hessian(lambda x: surrogate.ATan(alpha)(x).sum())(u)
    torch.testing.assert_close(hessian, expected)


@every_fixed
def test_non_contiguous_input_changes_nothing(case):
    u = inputs(case).repeat(3, 2)
    u = u.flatten()[: 2 * (u.numel() // 2)].view(2, -1)
    grad = torch.linspace(-1, 1, u.numel()).view_as(u)
    spike = case.make()
    expected = gradient(spike, u, grad)
    torch.testing.assert_close(gradient(spike, u.t(), grad.t()), expected.t())
    torch.testing.assert_close(gradient(spike, u[:, ::2], grad[:, ::2]), expected[:, ::2])


@every
def test_nothing_but_the_input_is_saved(case):
    u, saved = inputs(case).requires_grad_(), []
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda x: x):
        case.make()(u)
    assert {tensor.data_ptr() for tensor in saved} <= {u.data_ptr()}


@every
def test_no_graph_without_need(case):
    u, spike = inputs(case), case.make()
    assert not spike(u).requires_grad
    with torch.no_grad():
        assert not spike(u.requires_grad_()).requires_grad


@every
def test_gradient_flows_in_eval_too(case):
    u = inputs(case).requires_grad_()
    assert case.make().eval()(u).requires_grad


@every_fixed
def test_copies_and_pickles(case):
    spike = case.make()
    for other in (copy.deepcopy(spike), pickle.loads(pickle.dumps(spike))):
        assert other is not spike
        assert repr(other) == repr(spike)
        torch.testing.assert_close(
            gradient(other, inputs(case)), gradient(spike, inputs(case)), rtol=0, atol=0
        )


@every
def test_instances_share_nothing(case):
    one, other = case.make(), case.make()
    one.set_spiking_mode(False)
    assert other.spiking
    for name, value in vars(one).items():
        if isinstance(value, dict | list | set):
            assert value is not vars(other)[name]


@every
def test_prints_its_parameters(case):
    spike = case.make()
    text = repr(spike)
    assert text.startswith(f"{case.cls.__name__}(")
    assert text.endswith("spiking=True)")
    for name in spike.parameter_names:
        assert f"{name}={getattr(spike, name)}" in text
    if case.step:
        assert repr(case.make(strict=True)).endswith("spiking=True, strict=True)")


def test_printed_text():
    assert repr(surrogate.ATan()) == "ATan(alpha=2.0, spiking=True)"
    assert repr(surrogate.SquarewaveFourierSeries()) == (
        "SquarewaveFourierSeries(n=2, T_period=8.0, spiking=True)"
    )
    assert repr(surrogate.Sigmoid(3, False)) == "Sigmoid(alpha=3.0, spiking=False)"


@pytest.mark.parametrize("case", STEPS, ids=str)
def test_arguments_are_in_order(case):
    parameters = list(inspect.signature(case.cls).parameters.values())
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    spiking = [] if case.cls is surrogate.CustomSurrogate else ["spiking"]
    assert names == [*(case.make().parameter_names or case.kwargs), *spiking]
    assert [p.name for p in parameters if p.kind is p.KEYWORD_ONLY] == ["strict"]
    assert not case.make().strict


def test_alpha_may_be_assigned():
    spike, u = surrogate.ATan(), torch.tensor([0.3])
    spike.alpha = 5
    assert repr(spike) == "ATan(alpha=5, spiking=True)"
    torch.testing.assert_close(gradient(spike, u), gradient(surrogate.ATan(5.0), u))


def test_alpha_of_the_forward_pass_counts():
    spike, u = surrogate.ATan(2.0), torch.tensor([0.3])
    leaf = u.clone().requires_grad_()
    first = spike(leaf)
    spike.alpha = 8.0
    second = spike(leaf)
    (first + second).backward()
    expected = gradient(surrogate.ATan(2.0), u) + gradient(surrogate.ATan(8.0), u)
    torch.testing.assert_close(leaf.grad, expected)


def test_tensor_parameter_broadcasts_and_learns_through_the_primitive():
    spike, u = surrogate.Sigmoid(), torch.full((3, 2), 0.3)
    spike.alpha = nn.Parameter(torch.tensor([1.0, 4.0]))
    expected = [gradient(surrogate.Sigmoid(alpha), u[:, 0]) for alpha in (1.0, 4.0)]
    torch.testing.assert_close(gradient(spike, u), torch.stack(expected, dim=1))
    spike.spiking = False
    spike(u).sum().backward()
    assert spike.alpha.grad.shape == (2,)


def test_spiking_may_be_switched():
    spike, u = surrogate.Sigmoid(), torch.tensor([0.0])
    spike.set_spiking_mode(False)
    assert spike(u) == 0.5
    spike.spiking = True
    assert spike(u) == 1.0


def test_works_as_a_layer():
    net = nn.Sequential(nn.Linear(3, 2), surrogate.ATan(), nn.Linear(2, 1))
    net(torch.ones(4, 3)).sum().backward()
    assert net[0].weight.grad.abs().sum() > 0
    assert not net[1].state_dict()


@compiles
@every_fixed
def test_compiles_in_one_graph(case):
    torch.compiler.reset()
    spike = case.make()
    compiled = torch.compile(spike, backend="eager", fullgraph=True)
    torch.testing.assert_close(gradient(compiled, inputs(case)), gradient(spike, inputs(case)))


@compiles
def test_compiled_alpha_follows_assignment():
    torch.compiler.reset()
    spike, u = surrogate.ATan(), torch.tensor([0.3, -0.3])
    compiled = torch.compile(spike, backend="aot_eager", fullgraph=True)
    for alpha in (2.0, 5.0, 7.0):
        spike.alpha = alpha
        torch.testing.assert_close(gradient(compiled, u), gradient(surrogate.ATan(alpha), u))


def test_own_surrogate_in_four_lines():
    u = torch.tensor([-1.0, 0.0, 3.0])
    assert torch.equal(Mine()(u), torch.tensor([0.0, 1.0, 1.0]))
    assert torch.equal(Mine(strict=True)(u), torch.tensor([0.0, 0.0, 1.0]))
    torch.testing.assert_close(gradient(Mine(), u), torch.tensor([0.25, 1.0, 0.0625]))
    assert repr(Mine(count=3, width=0.5)) == "Mine(count=3, width=0.5, spiking=True)"
    assert repr(pickle.loads(pickle.dumps(Mine(width=0.5)))) == repr(Mine(width=0.5))


@forward_mode
@pytest.mark.parametrize("dtype", FLOATS)
def test_own_derivative_of_another_dtype_is_cast(dtype):
    class Box(Surrogate):
        def derivative(self, u):
            return torch.where(u.abs() < 1, 1.0, 0.0)  # float32 whatever u is

    u = torch.tensor([-2.0, 0.5], dtype=dtype)
    expected = torch.tensor([0.0, 1.0], dtype=dtype)
    torch.testing.assert_close(gradient(Box(), u), expected)
    torch.testing.assert_close(torch.func.jvp(Box(), (u,), (torch.ones_like(u),))[1], expected)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(Box()))(u), expected)


def test_missing_methods_are_named():
    class Bare(Surrogate):
        pass

    u = torch.ones(1, requires_grad=True)
    with pytest.raises(NotImplementedError, match=r"Bare has no derivative: define derivative"):
        Bare()(u).backward()
    with pytest.raises(NotImplementedError, match=r"Bare has no primitive: use it with spiking=T"):
        Bare(spiking=False)(u)


@pytest.mark.parametrize("case", [c for c in SURROGATES if not c.has_primitive], ids=str)
def test_missing_primitive_names_the_class(case):
    spike = case.make()
    spike.set_spiking_mode(False)
    with pytest.raises(NotImplementedError, match=f"{case.cls.__name__} has no primitive"):
        spike(torch.ones(1))


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"spiking": 1}, TypeError, "spiking must be True or False, got 1"),
        ({"strict": "no"}, TypeError, "strict must be True or False, got 'no'"),
        ({"width": "2"}, TypeError, "width must be a number, got '2'"),
        ({"width": True}, TypeError, "width must be a number, got True"),
        ({"width": torch.nan}, ValueError, "width must be a number, got nan"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        Mine(**arguments)


def test_wrong_spiking_mode_is_refused():
    with pytest.raises(TypeError, match="spiking must be True or False, got None"):
        Mine().set_spiking_mode(None)

"""The event-driven linear map: torch's, in values and gradients, or left to torch."""

import copy
import math
import pickle

import pytest
import torch
from spikeframe.kernels import cpp, event_linear, event_product, input_major
from torch import nn
from torch.nn import functional as F

pytestmark = pytest.mark.skipif(
    cpp.why_not(torch.device("cpu")) is not None, reason="needs a C++ compiler"
)
each_layout = pytest.mark.parametrize("layout", [torch.Tensor.contiguous, input_major])
# Rows, inputs, outputs of calls that events serve: large ones, and a step.
LARGE, STEP = (1400, 200, 130), (1, 500, 300)


def sparse(*shape, share=0.05, dtype=torch.float32):
    return torch.randn(*shape, dtype=dtype) * (torch.rand(*shape) < share)


def drawn(sizes, layout=input_major, dtype=torch.float32):
    """Input, weight and bias."""
    rows, inner, columns = sizes
    weight = layout(torch.randn(columns, inner, dtype=dtype)).requires_grad_()
    bias = torch.randn(columns, dtype=dtype, requires_grad=True)
    return sparse(rows, inner, dtype=dtype), weight, bias


@each_layout
@pytest.mark.parametrize("lead", [(1400,), (4, 350), (2, 5, 140)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_large_products_and_gradients_are_torchs(lead, layout, dtype):
    x, weight, bias = drawn(LARGE, layout, dtype)
    x = x.view(*lead, -1).requires_grad_()
    grad = torch.randn(*lead, 130, dtype=dtype)
    exact = F.linear(x.double(), weight.double(), bias.double())
    expected = torch.autograd.grad(exact, (x, weight, bias), grad.double())
    found = event_linear(x, weight, bias)
    assert found.shape == exact.shape
    torch.testing.assert_close(found, exact.to(dtype), rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(
        torch.autograd.grad(found, (x, weight, bias), grad), expected, strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("lead", [(1,), (), (2, 3)])
def test_steps_are_torchs(lead):
    _, weight, bias = drawn(STEP)
    x = sparse(*lead, 500)
    for given in (bias, None):
        found = event_linear(x, weight, given)
        torch.testing.assert_close(found, F.linear(x, weight, given), rtol=1e-4, atol=1e-4)
        assert found.requires_grad
        with torch.no_grad():
            assert torch.equal(event_linear(x, weight, given), found)


def test_gradients_by_finite_differences(monkeypatch):
    monkeypatch.setattr(event_product, "most_dense", lambda rows, columns: 1.0)
    monkeypatch.setattr("spikeframe.kernels.event_driven.most_dense", lambda rows, columns: 1.0)
    monkeypatch.setattr("spikeframe.kernels.event_driven.LEAST_WORK", 1)
    monkeypatch.setattr("spikeframe.kernels.event_driven.LEAST_WORK_OF_FEW", 1)
    x = sparse(3, 7, share=0.5, dtype=torch.float64).requires_grad_()
    weight = input_major(torch.randn(5, 7, dtype=torch.float64)).requires_grad_()
    bias = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert event_linear(x, weight, bias) is not None
    assert torch.autograd.gradcheck(event_linear, (x, weight, bias))
    assert torch.autograd.gradgradcheck(event_linear, (x, weight, bias))


def test_second_derivatives_are_torchs():
    x, weight, bias = drawn(LARGE)
    found = []
    for product in (event_linear, F.linear):
        loss = product(x, weight, bias).pow(2).mean()
        (first,) = torch.autograd.grad(loss, weight, create_graph=True)
        found.append(torch.autograd.grad(first.pow(2).sum(), (weight, bias)))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_batches_of_gradients_are_torchs():
    x, weight, bias = drawn(LARGE)
    grads = torch.randn(3, 1400, 130)
    found = event_linear(x, weight, bias)
    ours = torch.autograd.grad(found, weight, grads, is_grads_batched=True)[0]
    torch.testing.assert_close(ours, torch.stack([g.t() @ x for g in grads]), rtol=1e-3, atol=1e-3)


@each_layout
def test_gradient_of_the_weight_lies_as_the_weight_does(layout):
    x, weight, bias = drawn(LARGE, layout)
    (grad,) = torch.autograd.grad(event_linear(x, weight, bias).sum(), weight)
    assert grad.stride() == weight.stride()


def test_result_may_be_changed_in_place():
    x, weight, bias = drawn(LARGE)
    event_linear(x, weight, bias).sigmoid_().sum().backward()
    ours, weight.grad = weight.grad, None
    F.linear(x, weight, bias).sigmoid().sum().backward()
    torch.testing.assert_close(ours, weight.grad, rtol=1e-3, atol=1e-3)


def test_input_changed_before_the_backward_raises():
    x, weight, bias = drawn(LARGE)
    y = event_linear(x, weight, bias)
    x.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_what_hooks_hand_back_is_read_as_it_lies():
    x, weight, bias = drawn(LARGE)
    hooks = (lambda t: t, lambda t: t.t().contiguous().t() if t.dim() == 2 else t)
    with torch.autograd.graph.saved_tensors_hooks(*hooks):
        y = event_linear(x, weight, bias)
    grad = torch.randn_like(y)
    y.backward(grad)
    torch.testing.assert_close(weight.grad, grad.t() @ x, rtol=1e-3, atol=1e-3)


@each_layout
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_large_products_keep_what_is_not_finite(layout, bad):
    x, weight, bias = drawn(LARGE, layout)
    with torch.no_grad():
        weight[3, 5] = bad
    assert event_linear(x, weight, bias) is None
    x, weight, bias = drawn(LARGE, layout)
    y = event_linear(x, weight, bias)
    grad = torch.zeros_like(y)
    grad[7, 3] = bad
    y.backward(grad)
    torch.testing.assert_close(weight.grad, grad.t() @ x, equal_nan=True)


def test_steps_skip_what_zeros_do_not_select():
    x, weight, bias = torch.zeros(1, 500), input_major(torch.full((300, 500), math.nan)), None
    assert torch.equal(event_linear(x, weight, bias), torch.zeros(1, 300))
    x[0, 8] = math.nan
    assert event_linear(x, input_major(torch.ones(300, 500)), bias).isnan().all()


@pytest.mark.parametrize(
    "change",
    [
        lambda x, w, b: (x + 1, w, b),
        lambda x, w, b: (x[:0], w, b),
        lambda x, w, b: (x.half(), w.half(), b.half()),
        lambda x, w, b: (x.double(), w, b),
        lambda x, w, b: (x, w, b.double()),
        lambda x, w, b: (x[:, :-1], w, b),
        lambda x, w, b: (x, w, b[:-1]),
        lambda x, w, b: (x, w, b[0]),
        lambda x, w, b: (x[:1300].t().contiguous().t(), w, b),
        lambda x, w, b: (x.to_sparse(), w, b),
        lambda x, w, b: (x.to("meta"), w.to("meta"), b.to("meta")),
        lambda x, w, b: (nn.Parameter(x), w, b),
        lambda x, w, b: (x, w[0], None),
        lambda x, w, b: (torch._neg_view(x), w, b),
        lambda x, w, b: (x, torch._neg_view(w), b),
        lambda x, w, b: (x, w[:10], b[:10]),
        lambda x, w, b: (torch.zeros(()), w, b),
        lambda x, w, b: (x.tolist(), w, b),
    ],
    ids=[
        *("dense", "empty", "half", "double", "bias", "features", "short", "scalar", "strides"),
        *(
            "sparse",
            "meta",
            "parameter",
            "vector",
            "negated",
            "negated weight",
            "narrow",
            "number",
            "list",
        ),
    ],
)
def test_other_calls_are_left_to_torch(change):
    assert event_linear(*change(*map(torch.Tensor.detach, drawn(LARGE)))) is None


def test_steps_of_plain_weights_are_left_to_torch():
    for sizes in (STEP, (60, 800, 800)):
        x, weight, bias = drawn(sizes, torch.Tensor.contiguous)
        assert event_linear(x, weight, bias) is None
        assert event_linear(x, input_major(weight), bias) is not None


def test_steps_that_lie_apart_are_left_to_torch():
    _, weight, bias = drawn(STEP)
    x = sparse(20, 2, 500).transpose(0, 1)
    assert event_linear(x, weight, bias) is None
    assert event_linear(x.contiguous(), weight, bias) is not None


class _Mode(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


class _Dispatch(torch.utils._python_dispatch.TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "watching",
    [
        _Mode,
        _Dispatch,
        torch.autograd.forward_ad.dual_level,
        lambda: torch.autocast("cpu", torch.bfloat16),
    ],
    ids=["function", "dispatch", "forward mode", "autocast"],
)
def test_whoever_watches_torch_sees_its_product(watching):
    given = drawn(LARGE)
    assert event_linear(*given) is not None
    with watching():
        assert event_linear(*given) is None


def test_transforms_see_torchs_product():
    x, weight, bias = drawn(LARGE)
    seen = []

    def loss(weight):
        seen.append(event_linear(x, weight, bias))
        return F.linear(x, weight, bias).sum()

    torch.func.grad(loss)(weight)
    torch.vmap(loss)(torch.stack([weight, weight]))
    assert seen == [None, None]


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_traced_graphs_have_torchs_product():
    x, weight, bias = map(torch.Tensor.detach, drawn(LARGE))

    def run(x):
        found = event_linear(x, weight, bias)
        return F.linear(x, weight, bias) if found is None else found

    assert "aten::linear" in str(torch.jit.trace(run, x).graph)


def test_without_a_compiler_all_is_torchs(monkeypatch):
    monkeypatch.setattr(event_product, "BUILT", {})
    monkeypatch.setattr(cpp, "why_not", lambda device: "none is installed")
    assert event_linear(*drawn(LARGE)) is None
    assert event_linear(*drawn(STEP)) is None


def test_input_major_keeps_shape_and_values_through_copies():
    weight = nn.Parameter(input_major(torch.randn(3, 5)))
    assert weight.shape == (3, 5)
    for twin in (weight, copy.deepcopy(weight), pickle.loads(pickle.dumps(weight))):
        assert twin.stride() == (1, 3)
        assert torch.equal(twin, weight)
    assert nn.Parameter(weight.double()).stride() == (1, 3)

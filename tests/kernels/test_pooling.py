"""Max pools over windows that lie side by side."""

import pytest
import torch
from spikeframe.kernels import max_pool2d, pooling
from torch.autograd import forward_ad
from torch.nn import functional as F

from spikeframe import layer

pytestmark = pytest.mark.skipif(
    pooling.why_no_pool() is not None, reason=str(pooling.why_no_pool())
)


def images(*shape, dtype=torch.float32, seed=1):
    torch.manual_seed(seed)
    return torch.randn(shape, dtype=dtype).contiguous(memory_format=torch.channels_last)


def spied(monkeypatch):
    """The calls that go to the kernel."""
    calls = []
    known = pooling.is_ready_for
    monkeypatch.setattr(
        pooling, "is_ready_for", lambda *given: known(*given) and not calls.append(given[1])
    )
    return calls


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("window", [(2, 2), (3, 2), (1, 4), (16, 16), (13, 11)])
@pytest.mark.parametrize("size", [(40, 16, 16), (7, 17, 19), (64, 16, 33)])
@pytest.mark.parametrize("kind", ["values", "spikes", "nan"])
def test_values_and_gradients_are_those_of_torch(monkeypatch, dtype, window, size, kind):
    calls = spied(monkeypatch)
    x = images(9, *size, dtype=dtype)
    x = (x > 0.5).to(dtype) if kind == "spikes" else x
    if kind == "nan":
        x[x > 1.5] = torch.nan
        x[x < -1.5] = -torch.inf
    x.requires_grad_()
    y, wanted = max_pool2d(x, window), F.max_pool2d(x, window)
    assert len(calls) == 1
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, wanted, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(max_pool2d(x.detach(), window), y, rtol=0, atol=0, equal_nan=True)
    grad = torch.randn(y.shape, dtype=dtype)
    for laid in (grad, grad.contiguous(memory_format=torch.channels_last), grad[:1].expand_as(y)):
        found, expected = (
            torch.autograd.grad(z, x, laid, retain_graph=True)[0] for z in (y, wanted)
        )
        assert torch.equal(found, expected)


def test_gradients_are_differentiated_again():
    x = images(2, 16, 24, 24, dtype=torch.float64).requires_grad_()

    def twice(pool):
        (first,) = torch.autograd.grad(pool(x, (3, 3)).square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    torch.testing.assert_close(twice(max_pool2d), twice(F.max_pool2d))
    assert twice(max_pool2d).any()


def test_a_batch_of_gradients_is_torchs():
    x = images(2, 16, 24, 24).requires_grad_()
    grads = torch.randn(3, 2, 16, 12, 12)
    found, wanted = (
        torch.autograd.grad(pool(x, (2, 2)), x, grads, is_grads_batched=True)[0]
        for pool in (max_pool2d, F.max_pool2d)
    )
    torch.testing.assert_close(found, wanted)


OTHERS = {
    "contiguous": lambda x: x.contiguous(),
    "every second": lambda x: x[..., ::2],
    "half": lambda x: x.half(),
    "integers": lambda x: x.int(),
    "small": lambda x: x[:1, :1],
    "no batch": lambda x: x[0],
}


@pytest.mark.parametrize("case", OTHERS)
def test_all_others_are_torchs(monkeypatch, case):
    calls = spied(monkeypatch)
    x = OTHERS[case](images(4, 32, 32, 32))
    assert torch.equal(max_pool2d(x, (2, 2)), F.max_pool2d(x, (2, 2)))
    assert not calls


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_what_watches_operations_sees_those_of_torch(monkeypatch):
    calls = spied(monkeypatch)
    x = images(4, 32, 32, 32)
    torch.func.vmap(lambda x: max_pool2d(x, (2, 2)))(x[None])
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, x)
        assert forward_ad.unpack_dual(max_pool2d(dual, (2, 2))).tangent is not None
    torch.compile(lambda x: max_pool2d(x, (2, 2)), backend="eager")(x)
    assert not calls


def test_a_window_larger_than_the_image_is_told_by_torch():
    with pytest.raises(RuntimeError, match="too small"):
        max_pool2d(images(4, 32, 32, 32), (33, 2))


def test_what_is_kept_is_a_byte_for_each_output():
    x = images(4, 32, 32, 32).requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = max_pool2d(x, (2, 2))
    assert [t.nbytes for t in kept] == [y.numel()]


def test_hooks_may_lay_what_is_saved_out_anew():
    x = images(4, 32, 32, 33).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t.contiguous()):
        y = max_pool2d(x, (2, 2))
    wanted = torch.autograd.grad(F.max_pool2d(x, (2, 2)).square().sum(), x)
    assert torch.equal(torch.autograd.grad(y.square().sum(), x)[0], wanted[0])


def test_two_threads_make_the_same():
    x, entering = images(4, 48, 64, 64).requires_grad_(), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        y = max_pool2d(x, (2, 2))
        (found,) = torch.autograd.grad(y.square().sum(), x)
    finally:
        torch.set_num_threads(entering)
    assert torch.equal(y, F.max_pool2d(x, (2, 2)))
    assert torch.equal(found, torch.autograd.grad(F.max_pool2d(x, 2).square().sum(), x)[0])


POOLS = [
    ({"kernel_size": 2}, True),
    ({"kernel_size": (2, 3), "stride": (2, 3)}, True),
    ({"kernel_size": 2, "stride": 1}, False),
    ({"kernel_size": 3, "padding": 1}, False),
    ({"kernel_size": 2, "dilation": 2}, False),
    ({"kernel_size": 3, "ceil_mode": True}, False),
]


@pytest.mark.parametrize("step_mode", ["s", "m"])
@pytest.mark.parametrize(("options", "is_ours"), POOLS)
def test_layers_pool_so_where_windows_lie_side_by_side(monkeypatch, step_mode, options, is_ours):
    calls = spied(monkeypatch)
    x = (images(4, 32, 32, 32) > 0).float()
    pool = layer.MaxPool2d(**options, step_mode=step_mode)
    y = pool(x if step_mode == "s" else x.unflatten(0, (2, 2)))
    y = y if step_mode == "s" else y.flatten(0, 1)
    assert torch.equal(y, torch.nn.MaxPool2d(**options)(x))
    assert bool(calls) == is_ours


def test_indices_are_torchs():
    y, indices = layer.MaxPool2d(2, return_indices=True)(images(4, 32, 32, 32))
    assert indices.dtype == torch.int64
    assert indices.shape == y.shape

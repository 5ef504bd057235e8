import pytest
import torch

from spikeframe import functional
from spikeframe.encoding import Direct, direct

both = pytest.mark.parametrize(
    "repeat", [direct, lambda x, T: Direct(T)(x)], ids=["function", "module"]
)


@both
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 5), (2, 1, 3, 7)])
def test_direct_repeats(repeat, shape):
    x = torch.rand(shape)
    x_seq = repeat(x, 3)
    assert x_seq.shape == (3, *shape)
    assert torch.equal(x_seq, torch.stack([x, x, x]))


@both
def test_direct_is_a_view(repeat):
    x = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last)
    x_seq = repeat(x, 6)
    assert x_seq.data_ptr() == x.data_ptr()
    assert x_seq.stride() == (0, *x.stride())
    assert x_seq.untyped_storage().nbytes() == x.untyped_storage().nbytes()


@both
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.bfloat16, torch.float64])
def test_direct_keeps_the_dtype(repeat, dtype):
    assert repeat(torch.ones(2, dtype=dtype), 2).dtype == dtype


@both
def test_direct_sums_the_gradient_over_time(repeat):
    x, weights = torch.rand(3, requires_grad=True), torch.rand(5, 3)
    (repeat(x, 5) * weights).sum().backward()
    torch.testing.assert_close(x.grad, weights.sum(0))


@both
def test_direct_cannot_be_written_to(repeat):
    with pytest.raises(RuntimeError, match="single memory location"):
        repeat(torch.rand(3), 2).add_(1)


@both
@pytest.mark.parametrize("T", [0, -1, 1.0, True, None])
def test_direct_refuses_bad_T(repeat, T):
    with pytest.raises(ValueError, match=r"T must be an int of at least 1 .*got"):
        repeat(torch.rand(3), T)


@both
def test_direct_refuses_other_types(repeat):
    with pytest.raises(TypeError, match="direct takes a tensor, got list"):
        repeat([1.0], 2)


def test_module_has_no_step_mode_to_set():
    net = torch.nn.Sequential(Direct(3))
    functional.set_step_mode(net, "s")
    assert net(torch.zeros(2)).shape == (3, 2)
    net[0].T = 5
    assert net(torch.zeros(2)).shape == (5, 2)
    assert repr(net[0]) == "Direct(T=5)"

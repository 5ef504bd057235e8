"""Bits are the spikes: every value, dtype, stride and gap."""

import pytest
import torch

from spikeframe.memory.bits import Bits, pack_by_torch, unpack_by_torch

LAYOUTS = {
    "contiguous": lambda x: x,
    "channels last": lambda x: x.to(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(0, 3).contiguous().transpose(0, 3),
    "one channel": lambda x: x[:, :1].contiguous(),
    "scalar": lambda x: x[0, 0, 0, 0],
    "part": lambda x: x[1:],
}
GAPS = {
    "every other": lambda x: x[..., ::2],
    "expanded": lambda x: x[:1].expand(3, *x.shape[1:]),
    "empty": lambda x: x[:0],
}


def spikes(dtype):
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(3, 5, 2, 7, generator=generator) < 0.3).to(dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.bool, torch.int64]
)
def test_bits_give_back_the_tensor(dtype, layout):
    x = LAYOUTS[layout](spikes(dtype))
    assert Bits.fits(x)
    bits = Bits(x)
    back = bits.unpack()
    assert (back.dtype, back.shape, back.stride()) == (x.dtype, x.shape, x.stride())
    assert torch.equal(back, x)
    assert bits.nbytes == -(-x.numel() // 8)


@pytest.mark.parametrize("gap", GAPS)
def test_what_has_gaps_or_repeats_does_not_fit(gap):
    assert not Bits.fits(GAPS[gap](spikes(torch.float32)))


def test_other_layouts_do_not_fit():
    assert not Bits.fits(spikes(torch.float32).to_sparse())


def test_the_way_of_other_devices_is_the_same():
    """numpy's packing is a shortcut of the CPU's."""
    for count in (1, 7, 8, 210):
        flat = spikes(torch.bfloat16).flatten()[:count]
        packed = pack_by_torch(flat)
        assert torch.equal(packed, Bits(flat).data)
        assert torch.equal(unpack_by_torch(packed, count, flat.dtype), flat)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_bits_on_a_device():
    x = spikes(torch.float16).cuda().to(memory_format=torch.channels_last)
    bits = Bits(x)
    assert bits.data.is_cuda
    assert torch.equal(bits.unpack(), x)

"""Spikes as bits: an eighth of a byte for each, whatever their dtype."""

import numpy as np
import torch
from torch import Tensor

__all__ = ["Bits"]

# Of a byte's eight values, the first is the highest bit, as numpy has it.
_PLACES = (128, 64, 32, 16, 8, 4, 2, 1)


class Bits:
    """A tensor of zeros and ones, packed; :meth:`unpack` gives it back, strides included.

    Arguments:
        x: The tensor; without gaps in memory, in any order of its dimensions.
    """

    def __init__(self, x: Tensor) -> None:
        self.shape, self.strides, self.dtype = x.shape, x.stride(), x.dtype
        self.data = _pack(torch.as_strided(x.detach(), (x.numel(),), (1,)))

    @staticmethod
    def fits(x: Tensor) -> bool:
        """Whether a tensor can be packed: it fills one stretch of memory."""
        return x.layout == torch.strided and x.numel() > 0 and _is_dense(x)

    def unpack(self) -> Tensor:
        """The tensor, as it was."""
        flat = _unpack(self.data, self.shape.numel(), self.dtype)
        return torch.as_strided(flat, self.shape, self.strides)

    @property
    def nbytes(self) -> int:
        """Bytes it takes."""
        return self.data.numel()


def pack_by_torch(flat: Tensor) -> Tensor:
    """Zeros and ones, 1-d, as bytes of eight, by torch's operations on any device."""
    fires = torch.nn.functional.pad(flat.bool(), (0, -flat.numel() % 8)).view(-1, 8)
    places = torch.tensor(_PLACES, dtype=torch.uint8, device=flat.device)
    return (fires * places).sum(1, dtype=torch.uint8)


def unpack_by_torch(data: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """The first ``count`` zeros and ones of such bytes."""
    places = torch.tensor(_PLACES, dtype=torch.uint8, device=data.device)
    return (data.unsqueeze(1) & places).ne(0).view(-1)[:count].to(dtype)


def _pack(flat: Tensor) -> Tensor:
    if flat.device.type != "cpu":
        return pack_by_torch(flat)
    # numpy compares many times faster than torch, but it has no 16-bit brain float.
    native = flat.dtype in (torch.float32, torch.float64)
    fires = flat.numpy() != 0 if native else flat.bool().numpy()
    return torch.from_numpy(np.packbits(fires))


def _unpack(data: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    if data.device.type != "cpu":
        return unpack_by_torch(data, count, dtype)
    return torch.from_numpy(np.unpackbits(data.numpy(), count=count)).to(dtype)


def _is_dense(x: Tensor) -> bool:
    """Whether the values fill one stretch of memory, each place once."""
    expected = 1
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return True

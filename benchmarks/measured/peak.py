"""The memory of a call, told in a process of its own where malloc gives back what is free."""

import ctypes
import os
from collections.abc import Callable

import torch

from .clock import peak_bytes

__all__ = ["peak_alone"]

# mallopt's name for the size from which on a block is a mapping of its own, and that size.
M_MMAP_THRESHOLD, SMALLEST_MAPPED = -3, 2**18
# Calls after which nothing is made that stays.
WARM = 2


def peak_alone(action: Callable[[int], object], device: torch.device) -> int:
    """The most memory that a call takes at a time, beyond what there was before.

    As :func:`~measured.clock.peak_bytes`, but on the CPU a copy of this process makes the call,
    in which every larger block is mapped and unmapped: else it is a matter of luck, and of up to
    a third, which holes malloc finds for them. That needs a process that has not yet worked much.
    """
    if device.type != "cpu" or not hasattr(os, "fork"):
        return peak_bytes(action, device)
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        _tell(action, device, writes)
    os.close(writes)
    with os.fdopen(reads) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if status or not told:
        raise RuntimeError(f"the process that was to tell the memory ended with {status}")
    return int(told)


def _tell(action: Callable[[int], object], device: torch.device, writes: int) -> None:
    """What the copy does: it never returns."""
    status = 1
    try:
        # The threads of this process are not in its copy.
        torch.set_num_threads(1)
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, SMALLEST_MAPPED)
        for call in range(WARM):
            action(call)
        os.write(writes, str(peak_bytes(action, device)).encode())
        status = 0
    finally:
        os._exit(status)

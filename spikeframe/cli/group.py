"""The processes that train together: one, or as many as torchrun has started."""

import contextlib
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from .errors import CommandError

__all__ = ["Group", "joined", "members", "rank"]

T = TypeVar("T")

# Each process keeps the statistics of its own samples; torch 2.13 has renamed the switch.
RENAMED = "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
OWN_BUFFERS: dict[str, Any] = {"forward_sync_buffers" if RENAMED else "broadcast_buffers": False}


@dataclass(frozen=True)
class Group:
    """This process's place among those that train together.

    Arguments:
        rank: Its number, counted from 0; the first one speaks and writes files.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that speaks and writes."""
        return self.rank == 0

    @property
    def rows(self) -> slice:
        """Which samples of a batch are this process's."""
        return slice(self.rank, None, self.size)

    def sum(self, values: Sequence[float]) -> list[float]:
        """The sums of the numbers that the processes have."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(total)
        return total.tolist()

    def gather(self, value: T) -> list[T]:
        """What each process has, in all of them."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def once(self, make: Callable[[], T]) -> T:
        """What the first process makes, in all of them; its CommandError too."""
        if self.size == 1:
            return make()
        made: list[Any] = [None]
        if self.first:
            try:
                made = [make()]
            except CommandError as error:
                made = [error]
        distributed.broadcast_object_list(made)
        if isinstance(made[0], CommandError):
            raise made[0]
        return made[0]

    def wait(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            distributed.barrier()

    def parallel(self, net: nn.Module, device: torch.device) -> nn.Module:
        """The net with gradients that are averaged over the processes."""
        if self.size == 1:
            return net
        devices = [device] if device.type == "cuda" else None
        return DistributedDataParallel(net, device_ids=devices, **OWN_BUFFERS)

    def share_buffers(self, net: nn.Module) -> None:
        """Average the statistics of batch norms, which each process keeps of its own samples."""
        for buffer in net.buffers() if self.size > 1 else ():
            if buffer.is_floating_point():
                distributed.all_reduce(buffer)
                buffer /= self.size


def members() -> int:
    """How many processes torchrun has started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's number among them."""
    return int(os.environ.get("RANK", "0"))


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """Join the processes that torchrun has started: by nccl on GPUs, else by gloo.

    Processes that have joined already stay so, also afterwards.

    Arguments:
        device: Where this process computes.
    """
    if members() == 1:
        yield Group()
        return
    if distributed.is_initialized():
        yield Group(distributed.get_rank(), distributed.get_world_size())
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # Numbers and objects go by gloo on GPUs too.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(distributed.get_rank(), distributed.get_world_size())
        # A process that leaves while another still talks to it may end in torch's own abort.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()

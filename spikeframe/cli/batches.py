"""Training batches, drawn from one generator and the same for any number of workers."""

import functools
import zlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ..data import ImageSet
from .augment import jitter

__all__ = ["Batches", "checksum"]

LARGEST = 2**63 - 1

# Which images make a batch, and the seed of what happens to them.
Task = tuple[Tensor, int]


class Batches:
    """Shuffled, augmented batches of a training set; iterate it once per epoch.

    The main process draws the order and a seed for each batch; whoever prepares a batch, worker
    or main process, draws from that seed alone.

    Arguments:
        data: The training set.
        batch_size: Images per batch; the last one may be smaller.
        generator: What order and seeds are drawn from: its state decides all later epochs.
        workers: Processes that prepare batches; 0 prepares them in this one.
    """

    def __init__(
        self, data: ImageSet, batch_size: int, generator: torch.Generator, workers: int = 0
    ) -> None:
        self._generator, self._images, self._batch_size = generator, len(data), batch_size
        self._tasks: list[Task] = []
        self._loader = DataLoader(
            _Prepared(data),
            batch_size=None,
            sampler=_Given(self._tasks),
            num_workers=workers,
            persistent_workers=workers > 0,
            # Else the loader takes a number of torch's global generator at every epoch.
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        return -(-self._images // self._batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(self._images, generator=self._generator)
        seeds = torch.randint(LARGEST, (len(self),), generator=self._generator)
        self._tasks[:] = zip(order.split(self._batch_size), seeds.tolist(), strict=True)
        yield from self._loader


class _Given(Sampler[Task]):
    """Tasks drawn beforehand: how often a loader asks for them depends on its workers."""

    def __init__(self, tasks: list[Task]) -> None:
        self.tasks = tasks

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)


class _Prepared(Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, data: ImageSet) -> None:
        self.data = data

    def __getitem__(self, task: Task) -> tuple[Tensor, Tensor]:
        index, seed = task
        images, labels = self.data[index]
        return jitter(images, torch.Generator().manual_seed(seed)), labels


def checksum(data: ImageSet) -> int:
    """A number that tells this training set from others."""
    content = (data.images, data.labels)
    return functools.reduce(lambda sofar, x: zlib.crc32(x.numpy().tobytes(), sofar), content, 0)

"""Training batches, drawn from one generator and the same for any number of workers."""

import functools
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ..data import ImageSet
from .augment import Augment, Share
from .group import Group
from .samples import Samples

__all__ = ["Batch", "Batches", "checksum"]

# Recordings whose frames are part of a training set's checksum.
PROBED = 32

LARGEST = 2**63 - 1

# Which samples make a batch, and the seed of what happens to them.
Task = tuple[Tensor, int]


class Batch(NamedTuple):
    """What this process has of a batch.

    Arguments:
        samples: Images [n, C, H, W] or frames [T, n, C, H, W].
        labels: Their classes, [n].
        share: Samples here times processes, as a share of the whole batch: what makes the mean
            of the processes' gradients the gradient of the whole batch.
    """

    samples: Tensor
    labels: Tensor
    share: float


class Batches:
    """Shuffled, augmented batches of a training set; iterate it once per epoch.

    The main process draws the order and a seed for each batch; whoever prepares a batch, worker
    or main process, draws from that seed alone. Processes that train together draw the same, and
    each prepares its part of every batch.

    Arguments:
        data: The training set.
        batch_size: Samples per batch of all processes; the last one may be smaller.
        generator: What order and seeds are drawn from: its state decides all later epochs.
        augment: How the samples are changed.
        workers: Processes that prepare batches; 0 prepares them in this one.
        group: The processes that train together.
    """

    def __init__(
        self,
        data: Samples,
        batch_size: int,
        generator: torch.Generator,
        augment: Augment,
        workers: int = 0,
        group: Group | None = None,
    ) -> None:
        self._generator, self._samples, self._batch_size = generator, len(data), batch_size
        self._tasks: list[Task] = []
        self._loader = DataLoader(
            _Prepared(data, augment, group or Group()),
            batch_size=None,
            sampler=_Given(self._tasks),
            num_workers=workers,
            # Else the loader takes a number of torch's global generator at every epoch.
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        return -(-self._samples // self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = torch.randperm(self._samples, generator=self._generator)
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


class _Prepared(Dataset[Batch]):
    def __init__(self, data: Samples, augment: Augment, group: Group) -> None:
        self.data, self.augment, self.group = data, augment, group

    def __getitem__(self, task: Task) -> Batch:
        index, seed = task
        rows, share = self.group.rows, float(self.group.size)
        if len(index) <= self.group.rank:
            # Nothing of a small last batch is left: a sample that counts for nothing.
            rows, share = slice(1), 0.0
        samples, labels = self.data[index[rows]]
        generator = torch.Generator().manual_seed(seed)
        changed = self.augment(samples, generator, Share(len(index), rows))
        return Batch(changed, labels, share * len(labels) / len(index))


def checksum(data: Samples) -> int:
    """A number that tells this training set from others; of frames, a few are looked at."""
    if isinstance(data, ImageSet):
        content = (data.images, data.labels)
    else:
        probed = torch.arange(0, len(data), -(-len(data) // PROBED))
        content = (data[probed][0].contiguous(), data.labels)
    return functools.reduce(lambda sofar, x: zlib.crc32(x.numpy().tobytes(), sofar), content, 0)

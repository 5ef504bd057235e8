"""One epoch of training, and one pass over a test set."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import functional
from .batches import Batch
from .errors import CommandError
from .group import Group
from .learner import Learner
from .samples import Samples

__all__ = ["Score", "evaluate", "train_epoch"]


@dataclass
class Score:
    """Mean loss and accuracy of the samples seen so far, by all processes."""

    images: float = 0
    loss_sum: float = 0.0
    correct: float = 0

    @property
    def loss(self) -> float:
        """The mean loss."""
        return self.loss_sum / self.images

    @property
    def accuracy(self) -> float:
        """The share of samples whose class was recognised."""
        return self.correct / self.images

    def add(self, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        """Count a batch with its mean loss; a sample's class is that of the largest mean score."""
        guesses = scores.detach().mean(0).argmax(1)
        self.images += len(labels)
        self.loss_sum += loss.item() * len(labels)
        self.correct += int((guesses == labels).sum())

    def include(self, other: "Score", group: Group) -> None:
        """Count what each process has scored."""
        images, loss_sum, correct = group.sum((other.images, other.loss_sum, other.correct))
        self.images += images
        self.loss_sum += loss_sum
        self.correct += correct


def train_epoch(
    learner: Learner,
    batches: Iterable[Batch],
    on_batch: Callable[[Score], None],
    group: Group | None = None,
) -> Score:
    """Change the weights once per batch.

    Arguments:
        learner: The network, its optimiser and schedule.
        batches: This process's part of each batch.
        on_batch: Called after each batch with the score of the epoch so far.
        group: The processes that train together.

    Raises:
        CommandError: the loss is no longer finite.
    """
    learner.net.train()
    group, score = group or Group(), Score()
    for samples, labels, share in batches:
        labels = labels.to(learner.device, non_blocking=True)
        scores = learner.scores(samples)
        loss = learner.loss(scores, labels)
        learner.optimizer.zero_grad()
        (loss * share if share != 1 else loss).backward()
        learner.optimizer.step()
        learner.scheduler.step()
        functional.reset_net(learner.net)
        own = Score()
        if share:
            own.add(loss, scores, labels)
        score.include(own, group)
        if not math.isfinite(score.loss_sum):
            raise CommandError(
                f"the loss became {score.loss_sum}: start again with an --lr below "
                f"{learner.scheduler.base_lrs[0]:g}"
            )
        on_batch(score)
    return score


def evaluate(learner: Learner, data: Samples, group: Group | None = None) -> Score:
    """Score a data set without changing the network, shared out among the processes."""
    learner.net.eval()
    group, own, score = group or Group(), Score(), Score()
    mine = torch.arange(len(data))[group.rows]
    with torch.no_grad():
        for index in mine.split(learner.batch_size):
            samples, labels = data[index]
            labels = labels.to(learner.device)
            scores = learner.scores(samples)
            own.add(learner.loss(scores, labels), scores, labels)
            functional.reset_net(learner.net)
    score.include(own, group)
    return score

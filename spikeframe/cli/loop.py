"""One epoch of training, and one pass over a test set."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import functional
from ..data import ImageSet
from .errors import CommandError
from .learner import Learner

__all__ = ["Score", "evaluate", "train_epoch"]

EVALUATION_BATCH = 256


@dataclass
class Score:
    """Mean loss and accuracy of the images seen so far."""

    images: int = 0
    loss_sum: float = 0.0
    correct: int = 0

    @property
    def loss(self) -> float:
        """The mean loss."""
        return self.loss_sum / self.images

    @property
    def accuracy(self) -> float:
        """The share of images whose class was recognised."""
        return self.correct / self.images

    def add(self, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        """Count a batch with its mean loss; an image's class is that of the largest mean score."""
        guesses = scores.detach().mean(0).argmax(1)
        self.images += len(labels)
        self.loss_sum += loss.item() * len(labels)
        self.correct += int((guesses == labels).sum())


def train_epoch(
    learner: Learner,
    batches: Iterable[tuple[Tensor, Tensor]],
    on_batch: Callable[[Score], None],
) -> Score:
    """Change the weights once per batch.

    Arguments:
        learner: The network, its optimiser and schedule.
        batches: Images and labels.
        on_batch: Called after each batch with the score of the epoch so far.

    Raises:
        CommandError: the loss is no longer finite.
    """
    learner.net.train()
    score = Score()
    for images, labels in batches:
        labels = labels.to(learner.device, non_blocking=True)
        scores = learner.scores(images)
        loss = learner.loss(scores, labels)
        learner.optimizer.zero_grad()
        loss.backward()
        learner.optimizer.step()
        learner.scheduler.step()
        functional.reset_net(learner.net)
        score.add(loss, scores, labels)
        if not math.isfinite(score.loss_sum):
            raise CommandError(
                f"the loss became {loss.item()}: start again with an --lr below "
                f"{learner.scheduler.base_lrs[0]:g}"
            )
        on_batch(score)
    return score


def evaluate(learner: Learner, data: ImageSet) -> Score:
    """Score a data set without changing the network."""
    learner.net.eval()
    score = Score()
    with torch.no_grad():
        for start in range(0, len(data), EVALUATION_BATCH):
            images, labels = data[start : start + EVALUATION_BATCH]
            labels = labels.to(learner.device)
            scores = learner.scores(images)
            score.add(learner.loss(scores, labels), scores, labels)
            functional.reset_net(learner.net)
    return score

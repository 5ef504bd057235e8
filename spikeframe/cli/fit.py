"""Trains a network epoch by epoch, so that it can stop and go on at the end of any of them."""

import time
from pathlib import Path

import torch

from ..data import ImageSet, Split
from .batches import Batches, checksum
from .checkpoint import Checkpoint, save, save_weights
from .errors import CommandError
from .folder import RunFolder, write_whole
from .group import Group
from .learner import Learner, learner
from .loop import evaluate, train_epoch
from .metrics import COLUMNS, VALIDATED, Row, best_validated, to_csv
from .options import Options, saved_values
from .progress import Progress
from .recipes import RECIPES
from .samples import Samples

__all__ = ["Fit"]


class Fit:
    """The training of one network: all that a checkpoint holds, alive.

    Arguments:
        role: ``spiking`` or ``relu``.
        split: Training and test set, and the validation set if there is one.
        options: The options of the run.
        source: What to go on from, with its path; the beginning by default.
        group: The processes that train together.
    Raises:
        CommandError: the checkpoint does not fit.
    """

    def __init__(
        self,
        role: str,
        split: Split[Samples],
        options: Options,
        source: tuple[Path, Checkpoint] | None = None,
        group: Group | None = None,
    ) -> None:
        self.split, self.options, self.group = split, options, group or Group()
        self.generator = torch.Generator().manual_seed(options.seed)
        self.batches = Batches(
            split.train,
            options.batch_size,
            self.generator,
            RECIPES[options.data].augment,
            options.workers,
            self.group,
        )
        self.learner: Learner = learner(role, split.train, options, len(self.batches), self.group)
        self.rows: list[Row] = []
        self.data = checksum(split.train)
        if source is not None:
            self._restore(*source)

    def run(self, folder: RunFolder) -> None:
        """Train the epochs that are left.

        Arguments:
            folder: Where checkpoint and metrics go, at the start and after each epoch.

        Raises:
            CommandError: the loss is no longer finite, or a file cannot be written.
        """
        if self.group.first:
            folder.create()
        self._save(folder)
        title, epochs, batches = self.learner.title, self.options.epochs, len(self.batches)
        with Progress(title, epochs, batches, silent=not self.group.first) as progress:
            progress.start(self.rows)
            while len(self.rows) < epochs:
                self.rows.append(self._epoch(progress))
                self._save(folder)
                progress.finish_epoch(self.rows[-1])

    def _epoch(self, progress: Progress) -> Row:
        rate = float(self.learner.scheduler.get_last_lr()[0])
        start = time.perf_counter()
        trained = train_epoch(self.learner, self.batches, progress.advance, self.group)
        seconds = time.perf_counter() - start
        self.group.share_buffers(self.learner.net)
        tested = evaluate(self.learner, self.split.test, self.group)
        validated = {}
        if self.split.valid is not None:
            score = evaluate(self.learner, self.split.valid, self.group)
            validated = {"valid_loss": score.loss, "valid_accuracy": score.accuracy}
        return {
            "epoch": float(len(self.rows) + 1),
            "train_loss": trained.loss,
            "train_accuracy": trained.accuracy,
            "test_loss": tested.loss,
            "test_accuracy": tested.accuracy,
            "lr": rate,
            "seconds": seconds,
            **validated,
        }

    def _save(self, folder: RunFolder) -> None:
        """The checkpoint first: the table is made from it again when a run goes on."""
        checkpoint = self._checkpoint()
        if not self.group.first:
            return
        if self.rows and best_validated(self.rows) is self.rows[-1]:
            save_weights(folder.validated, checkpoint.net)
        save(folder.checkpoint, checkpoint)
        write_whole(folder.metrics, to_csv(self.rows))

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            role=self.learner.role,
            options=saved_values(self.options),
            data=self.data,
            rows=self.rows,
            net=self.learner.net.state_dict(),
            optimizer=self.learner.optimizer.state_dict(),
            scheduler=self.learner.scheduler.state_dict(),
            random=self._random(),
        )

    def _random(self) -> dict[str, torch.Tensor]:
        own = {"torch": torch.get_rng_state()}
        if self.learner.device.type == "cuda":
            own["cuda"] = torch.cuda.get_rng_state(self.learner.device)
        states = {"batches": self.generator.get_state()}
        for rank, others in enumerate(self.group.gather(own)):
            states |= {_of(name, rank): state for name, state in others.items()}
        return states

    def _restore(self, path: Path, checkpoint: Checkpoint) -> None:
        role = self.learner.role
        if checkpoint.role != role:
            raise CommandError(f"{path} is of the {checkpoint.role} network, not the {role} one")
        if checkpoint.data != self.data:
            raise CommandError(
                f"{path} was made with other training {_kind(self.split)} than those found now: "
                "name the folder of the first run's files with --data-dir"
            )
        try:
            self._load_states(checkpoint)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise CommandError(f"{path} does not fit the network: {reason}") from error

    def _load_states(self, checkpoint: Checkpoint) -> None:
        self.learner.net.load_state_dict(checkpoint.net)
        self.learner.optimizer.load_state_dict(checkpoint.optimizer)
        self.learner.scheduler.load_state_dict(checkpoint.scheduler)
        self.generator.set_state(checkpoint.random["batches"])
        torch.set_rng_state(checkpoint.random[_of("torch", self.group.rank)])
        cuda = checkpoint.random.get(_of("cuda", self.group.rank))
        if self.learner.device.type == "cuda" and cuda is not None:
            torch.cuda.set_rng_state(cuda, self.learner.device)
        columns = COLUMNS if self.split.valid is None else COLUMNS + VALIDATED
        self.rows = [{name: float(row[name]) for name in columns} for row in checkpoint.rows]


def _of(name: str, rank: int) -> str:
    """A random state's name: the first process has the plain one."""
    return f"{name}.{rank}" if rank else name


def _kind(split: Split[Samples]) -> str:
    return "images" if isinstance(split.train, ImageSet) else "recordings"

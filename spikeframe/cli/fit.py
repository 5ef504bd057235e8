"""Trains a network epoch by epoch, so that it can stop and go on at the end of any of them."""

import time
from pathlib import Path

import torch

from ..data import Split
from .batches import Batches, checksum
from .checkpoint import Checkpoint, save
from .errors import CommandError
from .folder import RunFolder, write_whole
from .learner import Learner, learner
from .loop import evaluate, train_epoch
from .metrics import COLUMNS, Row, to_csv
from .options import Options, saved_values
from .progress import Progress

__all__ = ["Fit"]


class Fit:
    """The training of one network: all that a checkpoint holds, alive.

    Arguments:
        role: ``spiking`` or ``relu``.
        split: Training and test set.
        options: The options of the run.
        source: What to go on from, with its path; the beginning by default.
    Raises:
        CommandError: the checkpoint does not fit.
    """

    def __init__(
        self,
        role: str,
        split: Split,
        options: Options,
        source: tuple[Path, Checkpoint] | None = None,
    ) -> None:
        self.split, self.options = split, options
        self.generator = torch.Generator().manual_seed(options.seed)
        self.batches = Batches(split.train, options.batch_size, self.generator, options.workers)
        self.learner: Learner = learner(role, split.train, options, len(self.batches))
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
        folder.create()
        self._save(folder)
        with Progress(self.learner.title, self.options.epochs, len(self.batches)) as progress:
            progress.start(self.rows)
            while len(self.rows) < self.options.epochs:
                self.rows.append(self._epoch(progress))
                self._save(folder)
                progress.finish_epoch(self.rows[-1])

    def _epoch(self, progress: Progress) -> Row:
        rate = float(self.learner.scheduler.get_last_lr()[0])
        start = time.perf_counter()
        trained = train_epoch(self.learner, self.batches, progress.advance)
        seconds = time.perf_counter() - start
        tested = evaluate(self.learner, self.split.test)
        return {
            "epoch": float(len(self.rows) + 1),
            "train_loss": trained.loss,
            "train_accuracy": trained.accuracy,
            "test_loss": tested.loss,
            "test_accuracy": tested.accuracy,
            "lr": rate,
            "seconds": seconds,
        }

    def _save(self, folder: RunFolder) -> None:
        """The checkpoint first: the table is made from it again when a run goes on."""
        save(folder.checkpoint, self._checkpoint())
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
        states = {"batches": self.generator.get_state(), "torch": torch.get_rng_state()}
        if self.learner.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.learner.device)
        return states

    def _restore(self, path: Path, checkpoint: Checkpoint) -> None:
        role = self.learner.role
        if checkpoint.role != role:
            raise CommandError(f"{path} is of the {checkpoint.role} network, not the {role} one")
        if checkpoint.data != self.data:
            raise CommandError(
                f"{path} was made with other training images than those found now: name the "
                "folder of the first run's files with --data-dir"
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
        torch.set_rng_state(checkpoint.random["torch"])
        if self.learner.device.type == "cuda" and "cuda" in checkpoint.random:
            torch.cuda.set_rng_state(checkpoint.random["cuda"], self.learner.device)
        self.rows = [{name: float(row[name]) for name in COLUMNS} for row in checkpoint.rows]

"""Where a run's results lie, and how a file gets there: whole or not at all."""

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import CommandError

__all__ = ["RunFolder", "claim", "claim_next", "write_whole"]

RUNS = Path("runs")


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The state after the last finished epoch."""
        return self.path / "checkpoint.pt"

    @property
    def validated(self) -> Path:
        """The weights after the epoch of the best validation, where there is a validation set."""
        return self.path / "validated.pt"

    @property
    def metrics(self) -> Path:
        """One row per finished epoch."""
        return self.path / "metrics.csv"

    @property
    def figure(self) -> Path:
        """The run at a glance."""
        return self.path / "training.png"

    @property
    def baseline(self) -> "RunFolder":
        """The same for the twin with ReLU."""
        return RunFolder(self.path / "relu")

    def create(self) -> None:
        """Make the folder if it is not there.

        Raises:
            CommandError: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"cannot create {self.path}: {error.strerror}") from error


def claim(path: Path) -> RunFolder:
    """Make a folder for a new run, or take an empty one.

    Raises:
        CommandError: it holds something, or cannot be made.
    """
    folder = RunFolder(path)
    folder.create()
    try:
        occupied = any(path.iterdir())
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from error
    if occupied:
        raise CommandError(
            f"--out-dir {path} is not empty, and results are never overwritten: name a new "
            f"folder, or continue the run in it with --resume {path}"
        )
    return folder


def claim_next(name: str) -> RunFolder:
    """Make the first of runs/NAME-1, runs/NAME-2, ... that is not there.

    Raises:
        CommandError: it cannot be made.
    """
    number = 1
    while os.path.lexists(RUNS / f"{name}-{number}"):
        number += 1
    path = RUNS / f"{name}-{number}"
    try:
        # Made here or not at all: another run may have been quicker.
        path.mkdir(parents=True)
    except OSError as error:
        raise CommandError(
            f"cannot create {path} ({error.strerror}): name a folder with --out-dir"
        ) from error
    return RunFolder(path)


def write_whole(path: Path, content: bytes) -> None:
    """Write aside and rename, so that a reader never meets half a file.

    Raises:
        CommandError: it cannot be written; what was at ``path`` before is still there.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from error
    finally:
        if part.exists():
            part.unlink()

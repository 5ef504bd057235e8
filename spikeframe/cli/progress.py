"""Shows how a training goes: a bar on a terminal, a line per epoch elsewhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, Self

from .loop import Score
from .metrics import Row

__all__ = ["Progress", "counting"]


class Progress:
    """The progress of one training, over all its epochs.

    Arguments:
        title: What is trained.
        epochs: The number of epochs.
        batches: Batches per epoch.
        silent: Show nothing: another process does.
    """

    def __init__(self, title: str, epochs: int, batches: int, *, silent: bool = False) -> None:
        from tqdm import tqdm

        self.title, self.epochs, self.batches = title, epochs, batches
        self.silent, self.live = silent, sys.stderr.isatty() and not silent
        self.bar: Any = tqdm(
            total=epochs * batches,
            disable=not self.live,
            bar_format="{desc} |{bar}| {elapsed}<{remaining}{postfix}",
            dynamic_ncols=True,
        )
        self.tested = ""

    def start(self, rows: list[Row]) -> None:
        """Begin after the epochs that were trained before."""
        self.bar.update(len(rows) * self.batches)
        if rows:
            self.tested = _tested(rows[-1])
        self._describe(len(rows) + 1)

    def advance(self, score: Score) -> None:
        """One more batch of the epoch with this score."""
        self.bar.update()
        self.bar.set_postfix_str(
            f"loss={score.loss:.3f} train={score.accuracy:.2%}{self.tested}", refresh=False
        )

    def finish_epoch(self, row: Row) -> None:
        """One more epoch with these metrics."""
        self.tested = _tested(row)
        self._describe(int(row["epoch"]) + 1)
        if not self.live and not self.silent:
            print(
                f"{self.title}: epoch {row['epoch']:.0f}/{self.epochs} "
                f"loss={row['train_loss']:.3f} train={row['train_accuracy']:.2%}{self.tested} "
                f"{row['seconds']:.1f} s",
                flush=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def _describe(self, epoch: int) -> None:
        self.bar.set_description_str(f"{self.title} epoch {min(epoch, self.epochs)}/{self.epochs}")


def _tested(row: Row) -> str:
    valid = f" valid={row['valid_accuracy']:.2%}" if "valid_accuracy" in row else ""
    return f"{valid} test={row['test_accuracy']:.2%}"


@contextlib.contextmanager
def counting(recordings: int, *, silent: bool = False) -> Iterator[Callable[[], None]]:
    """Show how many recordings have become frames, if there are any to count.

    Arguments:
        recordings: How many there are.
        silent: Show nothing: another process does.
    """
    from tqdm import tqdm

    shown = recordings > 0 and not silent
    if shown and not sys.stderr.isatty():
        print(f"counting events into frames, {recordings} recordings", flush=True)
    bar: Any = tqdm(
        total=recordings,
        disable=not (shown and sys.stderr.isatty()),
        desc="events into frames",
        dynamic_ncols=True,
    )
    with bar:
        yield bar.update

"""What is known of an epoch, and the table of all epochs."""

import csv
import io

__all__ = ["COLUMNS", "VALIDATED", "Row", "best_validated", "to_csv"]

Row = dict[str, float]
"""The metrics of one epoch, by :data:`COLUMNS` and, with a validation set, :data:`VALIDATED`."""

COLUMNS = (
    "epoch",  # counted from 1
    "train_loss",
    "train_accuracy",  # of the augmented samples, while the weights change
    "test_loss",
    "test_accuracy",
    "lr",  # at the epoch's start
    "seconds",  # of training, without the test
)
VALIDATED = ("valid_loss", "valid_accuracy")


def to_csv(rows: list[Row]) -> bytes:
    """The rows as a table with a header, ready to be written."""
    text = io.StringIO()
    columns = COLUMNS + tuple(name for name in VALIDATED if rows and name in rows[0])
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _short(row[name]) for name in columns})
    return text.getvalue().encode()


def best_validated(rows: list[Row]) -> Row | None:
    """The first epoch of the highest validation accuracy, of equal ones that of the least loss.

    The test has no say: the best test accuracy of many epochs is better than the net.
    """
    if not rows or "valid_accuracy" not in rows[0]:
        return None
    return max(rows, key=lambda row: (row["valid_accuracy"], -row["valid_loss"]))


def _short(value: float) -> str:
    return f"{value:.6g}"

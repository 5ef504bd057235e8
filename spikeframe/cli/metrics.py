"""What is known of an epoch, and the table of all epochs."""

import csv
import io

__all__ = ["COLUMNS", "Row", "to_csv"]

Row = dict[str, float]
"""The metrics of one epoch, by :data:`COLUMNS`."""

COLUMNS = (
    "epoch",  # counted from 1
    "train_loss",
    "train_accuracy",  # of the augmented images, while the weights change
    "test_loss",
    "test_accuracy",
    "lr",  # at the epoch's start
    "seconds",  # of training, without the test
)


def to_csv(rows: list[Row]) -> bytes:
    """The rows as a table with a header, ready to be written."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _short(row[name]) for name in COLUMNS})
    return text.getvalue().encode()


def _short(value: float) -> str:
    return f"{value:.6g}"

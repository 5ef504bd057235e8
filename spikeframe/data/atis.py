"""Recordings of an ATIS camera, 40 bits an event: N-MNIST's .bin files.

An event is a byte of x, a byte of y, a bit of polarity and 23 bits of time in microseconds. The
row 240 does not exist: an event there says that the clock ran over, and that 2^13 microseconds
are to be added from there on.
"""

__all__ = ["read_atis", "stream_atis"]

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .events import pack_events
from .files import damaged, unpacked
from .stream import LONGEST, in_order

BYTES = 5
OVERFLOW_ROW, OVERFLOW = 240, 1 << 13


def read_atis(path: Path) -> np.ndarray:
    """Read a whole recording; events that the file has out of order are sorted by time.

    Raises:
        DataError: the file cannot be read, or ends within an event.
    """
    return in_order(stream_atis(path))


def stream_atis(path: Path, longest: int = LONGEST) -> Iterator[np.ndarray]:
    """Read a recording in parts of at most `longest` events, in the order of the file.

    Raises:
        DataError: the file cannot be read, or ends within an event.
    """
    overflow = place = 0
    with unpacked(path) as stream:
        while content := stream.read(longest * BYTES):
            rest = len(content) % BYTES
            place += len(content)
            if rest:
                expected = f"an event of {BYTES} bytes"
                raise damaged(path, f"byte {place - rest}", expected, f"{rest} bytes")
            raw = np.frombuffer(content, np.uint8).reshape(-1, BYTES).astype(np.int64)
            marks = raw[:, 1] == OVERFLOW_ROW
            overflows = overflow + np.cumsum(marks)
            overflow = int(overflows[-1])
            raw, overflows = raw[~marks], overflows[~marks]
            time = (raw[:, 2] & 127) << 16 | raw[:, 3] << 8 | raw[:, 4]
            yield pack_events(time + overflows * OVERFLOW, raw[:, 0], raw[:, 1], raw[:, 2] >> 7)

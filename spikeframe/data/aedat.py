"""Recordings in jAER's formats: AEDAT 2.0 of a DVS128 (CIFAR10-DVS), AEDAT 3.1 (DVS Gesture).

Both begin with lines of text that start with ``#``. An event of 2.0 is a big-endian address and a
time; its camera's picture lies on its side and is turned here, as SpikingJelly does. 3.1 is
made of packets, a header of 28 bytes and little-endian events, and says itself which are valid.
"""

__all__ = [
    "is_aedat2",
    "is_aedat31",
    "read_aedat2",
    "read_aedat31",
    "stream_aedat2",
    "stream_aedat31",
]

import gzip
import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .events import pack_events
from .files import CHUNK, damaged, unpacked
from .stream import LONGEST, in_order

Stream = io.BufferedReader | gzip.GzipFile

MAGIC_2, MAGIC_31 = b"#!AER-DAT2.0", b"#!AER-DAT3.1"
END_OF_HEADER = b"#!END-HEADER"
# A line of a header is a few words; a file without line ends is no recording.
LONGEST_LINE = 1 << 12
BYTES = 8  # of an event, in both formats
PIXELS = 128  # of a side of the DVS128
EXTERNAL = 1 << 15  # an address that is no pixel's
PACKET = struct.Struct("<HHIIIIII")
POLARITY_EVENTS = 1


def read_aedat2(path: Path) -> np.ndarray:
    """Read a whole recording; events that the file has out of order are sorted by time.

    Raises:
        DataError: the file cannot be read, is no AEDAT 2.0, or ends within an event.
    """
    return in_order(stream_aedat2(path))


def read_aedat31(path: Path) -> np.ndarray:
    """Read a whole recording; events that the file has out of order are sorted by time.

    Raises:
        DataError: the file cannot be read, is no AEDAT 3.1, or ends within a packet.
    """
    return in_order(stream_aedat31(path))


def stream_aedat2(path: Path, longest: int = LONGEST) -> Iterator[np.ndarray]:
    """Read a recording in parts of at most `longest` events, in the order of the file.

    Raises:
        DataError: the file cannot be read, is no AEDAT 2.0, or ends within an event.
    """
    with unpacked(path) as stream:
        content = _skip_text(path, stream, MAGIC_2)
        place = stream.tell() - len(content)
        while content := content + stream.read(longest * BYTES - len(content)):
            rest = len(content) % BYTES
            place += len(content)
            if rest:
                expected = f"an event of {BYTES} bytes"
                raise damaged(path, f"byte {place - rest}", expected, f"{rest} bytes")
            yield _dvs128_events(np.frombuffer(content, ">u4").reshape(-1, 2))
            content = b""


def stream_aedat31(path: Path, longest: int = LONGEST) -> Iterator[np.ndarray]:
    """Read a recording in parts of about `longest` events, in the order of the file.

    Raises:
        DataError: the file cannot be read, is no AEDAT 3.1, or ends within a packet.
    """
    with unpacked(path) as stream:
        head = _skip_text(path, stream, MAGIC_31)
        parts: list[np.ndarray] = []
        while head := head + stream.read(PACKET.size - len(head)):
            parts.extend(_packet(path, stream, head))
            head = b""
            if sum(map(len, parts)) >= longest:
                yield np.concatenate(parts)
                parts = []
        if parts:
            yield np.concatenate(parts)


def is_aedat2(start: bytes) -> bool:
    """Whether a file with these first bytes is an AEDAT 2.0."""
    return start.startswith(MAGIC_2)


def is_aedat31(start: bytes) -> bool:
    """Whether a file with these first bytes is an AEDAT 3.1."""
    return start.startswith(MAGIC_31)


def _skip_text(path: Path, stream: Stream, magic: bytes) -> bytes:
    """Read the lines in front of the events; return the first byte behind them, if read too."""
    line = stream.readline(LONGEST_LINE)
    if not line.startswith(magic):
        raise damaged(path, "byte 0", f"{magic.decode()!r}", repr(line[: len(magic)]))
    while not line.startswith(END_OF_HEADER):
        first = stream.read(1)
        if first != b"#":
            return first
        line = first + stream.readline(LONGEST_LINE)
    return b""


def _dvs128_events(words: np.ndarray) -> np.ndarray:
    address, time = words[words[:, 0] < EXTERNAL].astype(np.int64).T
    last = PIXELS - 1
    return pack_events(
        time, last - (address >> 8 & last), last - (address >> 1 & last), 1 - (address & 1)
    )


def _read(stream: Stream, size: int) -> bytes:
    """Read up to `size` bytes piece by piece: a damaged header may ask for more than there is."""
    content = bytearray()
    while piece := stream.read(min(size - len(content), CHUNK)):
        content += piece
    return bytes(content)


def _packet(path: Path, stream: Stream, head: bytes) -> Iterator[np.ndarray]:
    """The valid polarity events of the packet behind a header; nothing of other packets."""
    start = stream.tell() - len(head)
    if len(head) < PACKET.size:
        expected = f"a packet's header of {PACKET.size} bytes"
        raise damaged(path, f"byte {start}", expected, f"{len(head)} bytes")
    kind, _, size, _, overflow, capacity, number, _ = PACKET.unpack(head)
    if kind == POLARITY_EVENTS and (size != BYTES or number > capacity):
        expected = f"a packet of events of {BYTES} bytes"
        found = f"{number} events of {size} bytes in a packet for {capacity}"
        raise damaged(path, f"byte {start}", expected, found)
    content = _read(stream, size * capacity)
    if len(content) < size * capacity:
        expected = f"{size * capacity} bytes of events"
        raise damaged(path, f"byte {start + PACKET.size}", expected, f"{len(content)} bytes")
    if kind == POLARITY_EVENTS:
        words = np.frombuffer(content, "<u4").reshape(-1, 2)[:number]
        data, time = words[words[:, 0] & 1 == 1].astype(np.int64).T
        yield pack_events(
            time | overflow << 31, data >> 17 & 0x7FFF, data >> 2 & 0x7FFF, data >> 1 & 1
        )

"""Who keeps how many bytes for the backward pass: a count that everybody who keeps some tells."""

import contextlib
import threading
from collections.abc import Iterator

from torch import Tensor

from .bits import Bits

__all__ = ["Meter", "metered", "tell"]


class Meter:
    """Adds up what is kept, each piece of memory once, for whoever runs at that time."""

    def __init__(self) -> None:
        self.running: list[str] = [""]
        self.bytes: dict[str, int] = {}
        self.packed: dict[str, int] = {}
        self._seen: set[int] = set()
        # As long as they are counted, their addresses must not be given to others.
        self._alive: list[object] = []

    def leave_out(self, tensor: Tensor) -> None:
        """Count nothing that shares this tensor's memory (a parameter's)."""
        self._seen.add(tensor.untyped_storage().data_ptr())
        self._alive.append(tensor)

    def count(self, kept: Tensor | Bits) -> None:
        """Something is kept."""
        data = kept.data if isinstance(kept, Bits) else kept
        storage = data.untyped_storage()
        if storage.data_ptr() in self._seen:
            return
        self._seen.add(storage.data_ptr())
        self._alive.append(data)
        where, size = self.running[-1], storage.nbytes()
        self.bytes[where] = self.bytes.get(where, 0) + size
        if isinstance(kept, Bits):
            self.packed[where] = self.packed.get(where, 0) + size


class _Current(threading.local):
    def __init__(self) -> None:
        self.meter: Meter | None = None


_CURRENT = _Current()


@contextlib.contextmanager
def metered(meter: Meter) -> Iterator[None]:
    """Within it, what this thread keeps is told to ``meter``."""
    entering = _CURRENT.meter
    _CURRENT.meter = meter
    try:
        yield
    finally:
        _CURRENT.meter = entering


def tell(kept: Tensor | Bits) -> None:
    """Tell the meter, where there is one, of something that is kept."""
    if _CURRENT.meter is not None:
        _CURRENT.meter.count(kept)

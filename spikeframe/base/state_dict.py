"""Whether the states of memories are asked for in a ``state_dict``."""

import contextlib
import threading
from collections.abc import Iterator

__all__ = ["states_wanted", "with_states"]


class _Asked(threading.local):
    def __init__(self) -> None:
        self.for_states = False


_ASKED = _Asked()


def states_wanted() -> bool:
    """Whether the ``state_dict`` being made has every memory that is not at its reset value."""
    return _ASKED.for_states


@contextlib.contextmanager
def with_states() -> Iterator[None]:
    """Within it, :func:`states_wanted`, in this thread."""
    entering = _ASKED.for_states
    _ASKED.for_states = True
    try:
        yield
    finally:
        _ASKED.for_states = entering

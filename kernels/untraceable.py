"""Why a step cannot become a kernel, and the line of the user's that keeps it from that."""

import traceback
from pathlib import Path

import torch

__all__ = ["Untraceable", "located"]

# Lines of the engine, of torch and of Python itself lie on the way to the user's own.
_NOT_THEIRS = tuple(f"{Path(f).parent}/" for f in (__file__, str(torch.__file__)))
_PYTHON = f"{Path(traceback.__file__).parent}/"


class Untraceable(Exception):
    """A step does what no kernel can; its text says what and why.

    Arguments:
        text: What it does.
        place: Where, if not at the line that raises this.
    """

    def __init__(self, text: str, place: str | None = None) -> None:
        super().__init__(text if place is None else f"{place} {text}")
        self.placed = place is not None


def located(error: Exception) -> Untraceable:
    """What an error during a trace says of the step: function, file and line, and the fault."""
    if isinstance(error, Untraceable) and error.placed:
        return error
    text = str(error)
    if not isinstance(error, Untraceable):
        text = f"raises {type(error).__name__}{f': {text}' if text else ''}"
    return Untraceable(text, _place(error))


def _place(error: Exception) -> str:
    """The innermost line that is neither the engine's nor torch's."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if _is_theirs(frame.filename)]
    if not theirs:
        return "single_step_forward"
    frame = theirs[-1]
    return f"{frame.name} ({frame.filename}:{frame.lineno})"


def _is_theirs(filename: str) -> bool:
    installed = filename.startswith(_PYTHON) and "site-packages" not in filename
    return not installed and not filename.startswith(_NOT_THEIRS)

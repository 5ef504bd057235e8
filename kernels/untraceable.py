"""Why a step cannot become a kernel, and the line of the user's that keeps it from that."""

import traceback
from pathlib import Path

import torch

__all__ = ["Untraceable", "located"]

# Lines of the engine and of torch are on the way to the user's, never the user's.
_NOT_THEIRS = tuple(f"{Path(f).parent}/" for f in (__file__, str(torch.__file__)))


class Untraceable(Exception):
    """A step does what no kernel can; its text says what and why."""


def located(error: Exception) -> Untraceable:
    """What an error during a trace says of the step: function, file and line, and the fault."""
    text = str(error)
    if not isinstance(error, Untraceable):
        text = f"raises {type(error).__name__}{f': {text}' if text else ''}"
    return Untraceable(f"{_place(error)} {text}")


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)]
    frame = theirs[-1] if theirs else frames[-1]
    return f"{frame.name} ({frame.filename}:{frame.lineno})"

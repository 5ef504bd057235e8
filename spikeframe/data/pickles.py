"""A reader of pickles that hold numpy byte arrays, lists and strings, and that runs nothing else.

A pickle is a program: loading one calls whatever it names. Here five names are answered, none
of them by the real thing: arrays and types are stand-ins that only keep the state they are
given, so neither Python nor numpy code is ever run on what a hostile file says.
"""

__all__ = ["read_pickle"]

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from .files import DataError, damaged


def read_pickle(file: Path | str, content: bytes | bytearray) -> Any:
    """Read a pickle; text of Python 2 comes as bytes, an array as a stand-in with `to_numpy()`.

    Raises:
        DataError: the pickle is damaged, or asks for a global that no array needs.
    """
    stream = io.BytesIO(content)
    try:
        return _ArrayUnpickler(file, stream).load()
    except DataError:
        raise
    except Exception as error:
        # The documentation of pickle promises no closed list of errors for damaged input.
        place = f"byte {stream.tell()} or before"
        found = f"{type(error).__name__}: {error}"
        raise damaged(file, place, "a pickle of byte arrays", found) from error


class PickledType:
    """Stand-in for numpy.dtype."""

    def __init__(self, code: str | bytes, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Byte order and fields; a single byte has neither."""


class PickledArray:
    """Stand-in for numpy.ndarray: keeps the state and checks it when it becomes an array."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def to_numpy(self) -> np.ndarray:
        """Return the array of bytes, read-only, without a copy.

        Raises:
            ValueError: the state is not the state of an array of unsigned bytes.
        """
        match self.state:
            case (_, tuple(shape), PickledType(code="u1" | b"u1"), fortran, bytes(raw)):
                values = np.frombuffer(raw, np.uint8)
                return values.reshape(shape, order="F" if fortran else "C")
        raise ValueError("not an array of unsigned bytes")


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, file: Path | str, stream: io.BytesIO) -> None:
        super().__init__(stream, encoding="bytes")
        self._file = file

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ANSWERS:
            asked = f"{module}.{name}"
            raise DataError(
                f"{self._file} is refused: it is a pickle that asks for {asked!r}, and only "
                "numpy arrays, lists and strings are read; take the file from its publisher"
            )
        return _ANSWERS[module, name]


def _reconstruct(kind: type, *_: object) -> PickledArray:
    if kind is not PickledArray:
        raise ValueError("an array of an unknown class")
    return PickledArray()


def _encode(text: str, encoding: str) -> bytes:
    """Bytes, as Python 3 writes them below protocol 3; a codec's name could import a module."""
    if encoding != "latin1":
        raise ValueError(f"bytes encoded as {encoding!r}, not 'latin1'")
    return text.encode("latin1")


_ANSWERS = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): PickledType,
    ("_codecs", "encode"): _encode,
}

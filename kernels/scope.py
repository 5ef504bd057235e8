"""What a hook's lines read and write beyond ``self``: module names, closures, other functions.

A trace bakes them in, so those that can be compared become guards and the rest is refused. The
lines are read as bytecode, before they run.
"""

import builtins
import dis
import os
import sys
import time
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from .guards import ABSENT, Guards, is_constant
from .untraceable import Untraceable

__all__ = ["Scope", "is_library"]

_LIBRARIES = frozenset(sys.stdlib_module_names) | {"torch", "numpy"}
_REFUSED_BUILTINS = ("globals", "locals", "eval", "exec", "open", "input", "id", "__import__")
_CLOCKS = ("time", "perf_counter", "monotonic", "process_time", "thread_time")
_CHANGING = (
    *(getattr(time, f"{name}{unit}") for name in _CLOCKS for unit in ("", "_ns")),
    os.getenv,
    torch.get_num_threads,
    torch.is_anomaly_enabled,
    torch.is_autocast_enabled,
    torch.is_grad_enabled,
    torch.is_inference_mode_enabled,
)
# ABSENT stands for a name that is not bound yet: reading it raises when the step runs.
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType)


def is_library(name: str | None) -> bool:
    """Whether a module is Python's, torch's or numpy's, whose functions stay what they are."""
    return (name or "").split(".")[0] in _LIBRARIES


class Scope:
    """Reads the functions of one trace.

    Arguments:
        guards: Takes what they depend on.
    """

    def __init__(self, guards: Guards) -> None:
        self.guards = guards
        self.codes: list[types.CodeType] = []
        self._seen: set[types.FunctionType] = set()

    def read(self, function: types.FunctionType, owner: type) -> None:
        """Read a function that is called with an instance (or, as cls, with a subclass) of owner.

        Raises:
            Untraceable: It reads what cannot be compared later, or writes beyond its names.
        """
        if function in self._seen or is_library(function.__module__):
            return
        self._seen.add(function)
        self.guards.code(function)
        self.codes.append(function.__code__)
        try:
            self._read(function, owner)
        except Untraceable as error:
            if error.placed:
                raise
            code = function.__code__
            place = f"{function.__name__} ({code.co_filename}:{code.co_firstlineno})"
            raise Untraceable(str(error), place) from None

    def _read(self, function: types.FunctionType, owner: type) -> None:
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            if name != "__class__" and cell != types.CellType():
                value = cell.cell_contents
                self.guards.fact(_content(cell), value)
                self._accept(name, value, owner)
        self._read_code(function.__code__, function, owner, function.__code__.co_freevars)

    def _read_code(
        self, code: types.CodeType, function: types.FunctionType, owner: type, free: Any
    ) -> None:
        lines = list(dis.get_instructions(code))
        for i, line in enumerate(lines):
            following = lines[i + 1 : i + 5]
            if line.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                raise Untraceable(f"writes the global {line.argval}")
            if line.opname in ("STORE_DEREF", "DELETE_DEREF") and line.argval in free:
                raise Untraceable(f"writes {line.argval} of an outer function")
            if line.opname == "IMPORT_NAME" and not is_library(line.argval):
                raise Untraceable(f"imports {line.argval} inside the step")
            if line.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                self._read_name(line.argval, following, function, owner)
            if line.argval == "__class__" and line.opname == "LOAD_ATTR":
                self._guard_class_attributes(code, owner)
        self._guard_bases(_names_after_super(lines), owner)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._read_code(constant, function, owner, free)

    def _read_name(
        self, name: str, following: Any, function: types.FunctionType, owner: type
    ) -> None:
        namespace = function.__globals__
        if name not in namespace and hasattr(builtins, name):
            self._read_builtin(name, following)
            return
        value = namespace.get(name, ABSENT)
        self.guards.in_namespace(namespace, name, value)
        for attribute in _attributes(following):
            _check_class(name, value)
            if not isinstance(value, types.ModuleType | type):
                break
            name = f"{name}.{attribute}"
            found = getattr(value, attribute, ABSENT)
            if not is_library(getattr(value, "__name__", None)):
                if isinstance(value, type):
                    self.guards.fact(_reader(value, attribute), found)
                else:
                    self.guards.in_namespace(vars(value), attribute, found)
            value = found
        self._accept(name, value, owner)

    def _read_builtin(self, name: str, following: Any) -> None:
        if name in _REFUSED_BUILTINS:
            raise Untraceable(f"calls {name}, whose result a trace cannot keep")
        if name == "type" and "__name__" not in [line.argval for line in following]:
            raise Untraceable("asks for a type: use isinstance")

    def _accept(self, name: str, value: Any, owner: type) -> None:
        """Follow a value that a function reads, or refuse it."""
        if isinstance(value, _FUNCTIONS) and value in _CHANGING:
            raise Untraceable(f"reads {name}, which changes by itself")
        if isinstance(value, types.FunctionType):
            self.read(value, owner)
        elif isinstance(value, type):
            self._accept_class(name, value, owner)
        elif isinstance(value, types.ModuleType):
            if not is_library(value.__name__):
                raise Untraceable(f"reads the module {name} as a whole: name what it is read for")
        elif isinstance(value, staticmethod | classmethod | types.MethodType):
            self._accept(name, value.__func__, owner)
        elif isinstance(value, property):
            self._accept(name, value.fget, owner)
        elif not (is_constant(value) or value is ABSENT or isinstance(value, _FUNCTIONS)):
            raise Untraceable(
                f"reads {name}, a {type(value).__name__} that is no attribute of the node and may "
                "change unseen: make it a number, a tuple of numbers, or an attribute"
            )

    def _accept_class(self, name: str, value: type, owner: type) -> None:
        if issubclass(value, torch.autograd.Function):
            raise Untraceable(
                f"applies {name}, an autograd.Function without a derivative to trace"
            )
        if is_library(value.__module__) or issubclass(value, torch.nn.Module):
            return
        for function in vars(value).values():
            if isinstance(function, types.FunctionType):
                self.read(function, owner)

    def _guard_class_attributes(self, code: types.CodeType, owner: type) -> None:
        """What ``self.__class__.name`` or ``cls.name`` gives."""
        for name in code.co_names:
            found = getattr(owner, name, ABSENT)
            if found is not ABSENT and not name.startswith("__"):
                self.guards.fact(_reader(owner, name), found)
                self._accept(name, found, owner)

    def read_class_method(self, function: types.FunctionType, owner: type) -> None:
        """Read a function that is called with the class."""
        self.read(function, owner)
        self._guard_class_attributes(function.__code__, owner)

    def _guard_bases(self, names: Iterable[str], owner: type) -> None:
        """What ``super().name`` may find, in any class of the node."""
        for name in names:
            for cls in owner.__mro__:
                if is_library(cls.__module__):
                    continue
                self.guards.in_class(cls, name)
                found = cls.__dict__.get(name)
                found = getattr(found, "__func__", getattr(found, "fget", found))
                if isinstance(found, types.FunctionType):
                    self.read(found, owner)


def _names_after_super(lines: Sequence[dis.Instruction]) -> Iterator[str]:
    """The attributes that are read of ``super()`` and ``super(Class, self)``."""
    for i, line in enumerate(lines):
        if line.argval != "super" or not line.opname.startswith("LOAD"):
            continue
        for following in lines[i + 1 :]:
            if following.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"):
                if not following.argval.startswith("__"):
                    yield following.argval
                break


def _check_class(name: str, value: Any) -> None:
    if isinstance(value, type) and issubclass(value, torch.autograd.Function):
        raise Untraceable(f"applies {name}, an autograd.Function without a derivative to trace")


def _attributes(following: Any) -> Iterator[str]:
    for line in following:
        if line.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
            return
        yield line.argval


def _reader(owner: type, name: str) -> Any:
    return lambda node: getattr(owner, name, ABSENT)


def _content(cell: Any) -> Any:
    return lambda node: cell.cell_contents

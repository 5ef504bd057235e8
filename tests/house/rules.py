"""The arrows between the rooms of the package, and what no source file may do."""

import ast
import sys
from collections.abc import Iterator

from house.imports import Module, cycles, read
from torch import nn

__all__ = ["MAY_IMPORT", "library_faults", "public_faults"]

# What each room may import. "" is the package's own __init__.py. Leaves (compat, exchange, data,
# plot) stand in no list but cli's. A new room needs a row here: that is the design decision.
PROTOCOL = {"kernels", "base", "surrogate"}
NETS = PROTOCOL | {"neuron", "rnn", "layer", "functional", "encoding", "monitor", "memory"}
MAY_IMPORT: dict[str, set[str]] = {
    "": NETS,
    "__main__": {"cli"},
    "kernels": set(),
    "base": {"kernels", "surrogate"},
    "surrogate": {"kernels", "base"},
    "neuron": PROTOCOL,
    "rnn": PROTOCOL | {"neuron"},
    "layer": PROTOCOL | {"functional"},
    "functional": PROTOCOL,
    "encoding": PROTOCOL,
    "monitor": PROTOCOL | {"memory"},
    "memory": PROTOCOL,
    "model": NETS,
    "convert": NETS | {"model"},
    "compat": NETS | {"model", "convert", "plot", "exchange"},
    "exchange": NETS | {"model", "convert"},
    "data": NETS,
    "plot": NETS,
    "cli": NETS | {"model", "convert", "data", "plot"},
}
# Everything else is imported on use: `import spikeframe` loads nothing heavier.
AT_IMPORT = sys.stdlib_module_names | {"numpy", "spikeframe", "torch"}
# Private names that are torch's, not ours: a module may override them and a test may call them.
TORCH = set(dir(nn.Module()))


def library_faults(sources: dict[str, str]) -> list[str]:
    """Everything in the package's sources that breaks a rule, one line each."""
    modules = read(sources)
    faults = [fault for module in modules.values() for fault in _module_faults(module)]
    return faults + cycles(modules)


def public_faults(outside: dict[str, str], library: dict[str, str]) -> list[str]:
    """Private names of the library used from outside (tests, benchmarks, tutorials)."""
    hidden = {name for module in read(library).values() for name in _hidden(module)} - TORCH
    return [fault for module in read(outside).values() for fault in _private_use(module, hidden)]


def _module_faults(module: Module) -> Iterator[str]:
    yield from _arrows(module)
    for found in module.imports:
        where = f"{module.name}:{found.line}"
        if found.name == "*":
            yield f"{where}: star import from {found.module}"
        if found.at_import and found.path.partition(".")[0] not in AT_IMPORT:
            yield f"{where}: imports {found.path} at the top; optional packages load on use"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assert):
            yield f"{module.name}:{node.lineno}: assert vanishes under -O; raise an exception"


def _arrows(module: Module) -> Iterator[str]:
    room = _room(module.name)
    if room not in MAY_IMPORT:
        yield f"{module.name}: room {room!r} has no row in MAY_IMPORT"
        return
    for found in module.imports:
        where = f"{module.name}:{found.line}"
        other = _room(found.path)
        if found.path == "spikeframe":
            yield f"{where}: import spikeframe hides which room is meant; name the module"
        elif found.module.partition(".")[0] != "spikeframe" or other == room:
            continue
        elif other in MAY_IMPORT and other not in MAY_IMPORT[room]:
            yield f"{where}: {room or 'the root'} must not import {other}"
        elif room == "kernels":
            yield f"{where}: kernels must not import {found.path}"


def _room(path: str) -> str:
    """The part below spikeframe, e.g. neuron for spikeframe.neuron.lif."""
    return [*path.split("."), ""][1]


def _private_use(module: Module, hidden: set[str]) -> Iterator[str]:
    for found in module.imports:
        parts = found.path.split(".")
        if parts[0] == "spikeframe" and any(map(_private, parts)):
            yield f"{module.name}:{found.line}: {found.path} is private"
    own = set(_hidden(module))
    foreign, ours = _bound(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and _private(node.attr):
            root = _root(node)
            if root in ours or (node.attr in hidden - own and root not in foreign):
                yield f"{module.name}:{node.lineno}: {ast.unparse(node)} is private"


def _hidden(module: Module) -> Iterator[str]:
    """Private names that a module defines, attributes that it assigns included."""
    for node in ast.walk(module.tree):
        name = None
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
        if name and _private(name):
            yield name


def _bound(module: Module) -> tuple[set[str], set[str]]:
    """The names that a module's imports bind: to other libraries, and to ours."""
    bound: tuple[set[str], set[str]] = (set(), set())
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            source = node.module if isinstance(node, ast.ImportFrom) else None
            for alias in node.names:
                ours = (source or alias.name).partition(".")[0] == "spikeframe"
                bound[ours].add(alias.asname or alias.name.partition(".")[0])
    return bound


def _private(name: str) -> bool:
    return name.startswith("_") and name != "_" and not name.endswith("__")


def _root(node: ast.expr) -> str | None:
    """The first name of a dotted expression, None where it starts otherwise."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None

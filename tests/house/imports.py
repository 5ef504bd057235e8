"""Reads who imports whom, and who reaches for private names, from the source text alone."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Import", "Module", "cycles", "read"]


@dataclass(frozen=True)
class Import:
    """One imported module or name, e.g. ``from spikeframe.base import memory``."""

    module: str
    name: str | None
    line: int
    at_import: bool

    @property
    def path(self) -> str:
        """The dotted path as far as the statement spells it."""
        return self.module if self.name is None else f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Module:
    """One source file under its dotted name; a package's own file ends in ``.__init__``."""

    key: str
    source: str

    @property
    def name(self) -> str:
        return self.key.removesuffix(".__init__")

    @property
    def package(self) -> str:
        return self.name if self.key != self.name else self.name.rpartition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, self.key)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(found for node, early in walk(self.tree) for found in self._read(node, early))

    def _read(self, node: ast.AST, early: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, None, node.lineno, early) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = self._base(node)
            yield from (Import(base, alias.name, node.lineno, early) for alias in node.names)

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.package.split(".")
        parts = parts[: len(parts) - node.level + 1]
        return ".".join([*parts, node.module] if node.module else parts)


def walk(tree: ast.AST, early: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it runs when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        now = early and not lazy and not typing_only
        yield node, now
        yield from walk(node, now)


def read(sources: dict[str, str]) -> dict[str, Module]:
    """Modules by dotted name; the keys of packages end in ``.__init__``."""
    modules = (Module(key, source) for key, source in sources.items())
    return {module.name: module for module in modules}


def targets(module: Module, modules: dict[str, Module]) -> set[str]:
    """The modules of ours that this one runs first, wherever the statement stands."""
    found = {i.path if i.path in modules else i.module for i in module.imports}
    # Python runs the packages above a module before it; those above both run anyway.
    found |= {above for name in found for above in parents(name)} - parents(module.name)
    return (found & modules.keys()) - {module.name}


def parents(name: str) -> set[str]:
    """The packages above a module: a and a.b for a.b.c."""
    parts = name.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts))}


def cycles(modules: dict[str, Module]) -> list[str]:
    """One line for each cycle met on a depth-first walk."""
    edges = {name: sorted(targets(module, modules)) for name, module in modules.items()}
    found: list[str] = []
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append("import cycle: " + " > ".join([*path[path.index(name) :], name]))
        elif name not in done:
            for target in edges[name]:
                visit(target, [*path, name])
            done.add(name)

    for name in edges:
        visit(name, [])
    return found

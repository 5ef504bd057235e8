"""What a profile tells: the layers of a net, their kinds and shares, and the table of them."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from .. import memory

__all__ = ["GROUPS", "LayerProfile", "NetProfile", "is_one", "kind_of"]

GROUPS = ("neuron", "norm and neuron", "product", "norm", "pooling", "other")

# Modules that define such a layer, in torch and in frameworks built upon it.
_NORMS = {"batchnorm", "instancenorm", "normalization", "neunorm", "time_norm"}
_POOLS = {"pooling"}
_PRODUCTS = {"linear", "conv"}


@dataclass(frozen=True)
class LayerProfile:
    """What one module takes, without the modules inside it.

    Arguments:
        name: Its name in the net.
        kind: Its class.
        group: One of 'neuron', 'norm and neuron', 'product' (of matrices, convolutions too),
            'norm', 'pooling', 'other'.
        backend: The backend that a neuron runs on; '' for other modules.
        calls: Calls in a step.
        forward: Seconds of the forward.
        backward: Seconds of the backward, and of what it runs again.
        read: Bytes of its inputs; 0 for a module with others inside.
        written: Bytes of its outputs, likewise.
        saved: Bytes that it is the first to save for the backward.
        operations: Floating-point operations of its products, forward and backward.
    """

    name: str
    kind: str
    group: str
    backend: str
    calls: int
    forward: float
    backward: float
    read: int
    written: int
    saved: int
    operations: int

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward


@dataclass(frozen=True)
class NetProfile:
    """Where the time of a step goes; printed, a table.

    Arguments:
        layers: Modules that have none inside, or do something themselves, in the net's order.
        outside: Seconds that belong to no module.
        watching: Seconds that the measuring itself took, which are left out elsewhere.
        step: Seconds of a step that nobody watches.
        copy: Bytes a second, read and written, of a copy measured in the same run.
        product: Floating-point operations a second of a matrix product, likewise.
        peak: The most bytes that a step takes at a time; None where the system does not tell.
        backward: Whether the backward is part of it.
        runs: Timed runs, of which all times are medians.
        clock: What the clock tells.
    """

    layers: tuple[LayerProfile, ...]
    outside: float
    watching: float
    step: float
    copy: float
    product: float
    peak: int | None
    backward: bool
    runs: int
    clock: str

    @property
    def seconds(self) -> float:
        """What all layers and the rest take together."""
        return sum(row.seconds for row in self.layers) + self.outside

    def share(self, row: LayerProfile) -> float:
        """The part of the step that a layer takes, 0 to 1."""
        return row.seconds / self.seconds if self.seconds else 0.0

    def groups(self) -> dict[str, float]:
        """The part of the step that each group of layers takes, and 'outside' of them."""
        found = {
            group: sum(self.share(row) for row in self.layers if row.group == group)
            for group in GROUPS
        }
        found = {group: share for group, share in found.items() if share}
        return found | {"outside": self.outside / self.seconds if self.seconds else 0.0}

    def moved(self, row: LayerProfile) -> int:
        """The least bytes that a layer reads and writes.

        In training inputs and outputs have gradients, and what is saved is written and read.
        """
        both = row.read + row.written
        return 2 * (both + row.saved) if self.backward else both

    def of_limit(self, row: LayerProfile) -> float:
        """How near a layer is to the speed of a copy or of a product, whichever holds it, 0 to 1.

        More than 1 where it stays in a cache, or does fewer operations than are counted.
        """
        least = max(self.moved(row) / self.copy, row.operations / self.product)
        return least / row.seconds if row.seconds else 0.0

    def rows(self) -> list[dict[str, Any]]:
        """A dictionary for each layer, and one for what is outside of them: a CSV's rows."""
        found = [
            {
                "module": row.name,
                "class": row.kind,
                "group": row.group,
                "backend": row.backend,
                "calls": row.calls,
                "forward_ms": f"{row.forward * 1e3:.4f}",
                "backward_ms": f"{row.backward * 1e3:.4f}",
                "share": f"{self.share(row):.4f}",
                "read_bytes": row.read,
                "written_bytes": row.written,
                "saved_bytes": row.saved,
                "gb_s": _rate(self.moved(row), row.seconds),
                "operations": row.operations,
                "gflop_s": _rate(row.operations, row.seconds),
                "of_limit": f"{self.of_limit(row):.3f}",
            }
            for row in self.layers
        ]
        rest = dict.fromkeys(found[0] if found else ("module", "forward_ms", "share"), "")
        rest["module"], rest["forward_ms"] = "outside of layers", f"{self.outside * 1e3:.4f}"
        rest["share"] = f"{self.groups()['outside']:.4f}"
        return [*found, rest]

    def __str__(self) -> str:
        lines = [_HEAD, *(self._cells(row) for row in self.layers)]
        rest = ["", "outside of layers", "", "", f"{self.outside * 1e3:.2f}"]
        lines.append((*rest, "", f"{self.groups()['outside']:.1%}", *[""] * 5))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join(
                cell.ljust(width) if i < _LEFT else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join((*table, "", *self._totals()))

    def _cells(self, row: LayerProfile) -> tuple[str, ...]:
        return (
            row.name,
            row.kind,
            row.backend,
            f"{row.calls}",
            f"{row.forward * 1e3:.2f}",
            f"{row.backward * 1e3:.2f}",
            f"{self.share(row):.1%}",
            _mib(row.read + row.written),
            _mib(row.saved),
            _rate(self.moved(row), row.seconds, 1),
            _rate(row.operations, row.seconds, 1),
            f"{limit:.0%}" if (limit := self.of_limit(row)) else "",
        )

    def _totals(self) -> list[str]:
        what = "forward and backward" if self.backward else "forward"
        peak = "" if self.peak is None else f", at most {_mib(self.peak)} MiB at a time"
        saved = f", {_mib(sum(row.saved for row in self.layers))} MiB saved for the backward"
        shares = ", ".join(f"{group} {share:.1%}" for group, share in self.groups().items())
        return [
            f"{what}: {self.step * 1e3:.2f} ms a step{peak}{saved if self.backward else ''}",
            f"watched: {self.seconds * 1e3:.2f} ms, and {self.watching * 1e3:.2f} ms to watch",
            f"shares: {shares}",
            f"limits: copy {self.copy / 1e9:.1f} GB/s, product {self.product / 1e9:.0f} GFLOP/s",
            f"{self.clock}, medians of {self.runs} run{'s' if self.runs != 1 else ''}",
        ]


_HEAD = (
    *("module", "class", "backend", "calls", "forward ms", "backward ms", "share"),
    *("in+out MiB", "saved MiB", "GB/s", "GFLOP/s", "of limit"),
)
_LEFT = 3


def is_one(module: nn.Module) -> bool:
    """Whether a module is looked at from outside only, whatever modules it has."""
    compiled = hasattr(module, "_orig_mod")
    return compiled or isinstance(module, memory.NormNeuron) or _is_neuron(module)


def kind_of(module: nn.Module, operations: int) -> str:
    """The group that a module belongs to."""
    if isinstance(module, memory.NormNeuron):
        return "norm and neuron"
    if _is_neuron(module):
        return "neuron"
    homes = {kind.__module__.rpartition(".")[2] for kind in type(module).__mro__}
    # A kernel of its own may do the product, unseen; torch keeps Identity beside Linear.
    if operations or (homes & _PRODUCTS and not isinstance(module, nn.Identity)):
        return "product"
    if homes & _POOLS:
        return "pooling"
    return "norm" if homes & _NORMS else "other"


def _is_neuron(module: nn.Module) -> bool:
    """One of ours, or of another framework's."""
    marks = ("supported_backends", "surrogate_function", "spike_grad")
    return any(hasattr(module, mark) for mark in marks)


def _rate(count: int, seconds: float, digits: int = 3) -> str:
    return f"{count / seconds / 1e9:.{digits}f}" if count and seconds else ""


def _mib(size: int) -> str:
    return f"{size / 2**20:.2f}"

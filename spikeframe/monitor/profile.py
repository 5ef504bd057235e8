"""Measures where the time of a step goes, layer by layer."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Set
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from .. import kernels, memory
from .layers import LayerProfile, NetProfile, is_one, kind_of
from .machine import Clock, clock_of, limits_of, peak_bytes
from .operations import ProductCounter
from .spared import rest, spared
from .watch import WATCHER, Moment, Watch

__all__ = ["profile"]

Loss = Callable[[Any], Tensor]
Seconds = dict[Moment, float]


def profile(
    net: nn.Module,
    *inputs: Any,
    backward: bool = True,
    loss: Loss | None = None,
    runs: int = 5,
) -> NetProfile:
    r"""Run ``net`` several times and tell for each module how long forward and backward take.

    Time is a module's own: what modules inside it take is theirs. The backward of a module are
    the autograd nodes that its forward made; that of what stands between modules, such as the
    addition of a residual block, goes to the module whose ``forward`` says so. What belongs to
    no module (the loss, sums of gradients of what is used more than once, the engine of autograd)
    is ``outside``, and so is what modules that only call others take. On the CPU it is the
    process's own time with one thread, else the time that passes; on a device that of its events.
    Neurons, and modules that run their parts as one, are not looked into.

    Every run starts from rest, as each batch of a training loop does. Afterwards parameters,
    gradients, states, buffers, random numbers, modes and hooks are as before.

    Arguments:
        net: Any net; ``train()`` or ``eval()`` and step modes are taken as they are.
        inputs: Its inputs, on its device.
        backward: Measure the backward to all parameters (and inputs) that want gradients, too;
            else the forward without gradients.
        loss: From the outputs to what is differentiated; by default a fixed random gradient
            enters every output.
        runs: Timed runs, of which medians are told; at least 1.
    Raises:
        TypeError: ``net`` is not an nn.Module.
        ValueError: ``runs`` is less than 1, nothing wants a gradient, or the device's time cannot
            be measured.

    Example:
        >>> from spikeframe import layer, neuron
        >>> net = nn.Sequential(layer.Linear(8, 4), neuron.LIFNode())
        >>> found = profile(net, torch.rand(2, 8), runs=1)
        >>> [row.name for row in found.layers], found.layers[1].group
        (['0', '1'], 'neuron')
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, got {type(net).__name__}")
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
        raise ValueError(f"runs must be an int of at least 1, got {runs!r}")
    given = tree_map_only(Tensor, _leaf, inputs)
    device, dtype = _place(net, given)
    step = _Step(net, given, backward, loss, clock_of(device))
    with spared(net):
        limits = limits_of(device, dtype)
        counted = _Counted(step)
        timed = _timed(step, runs)
        rest(net)
        peak = peak_bytes(step.timed, device)
    layers = tuple(_rows(step, counted, timed, device))
    return NetProfile(
        layers=layers,
        outside=timed.outside({row.name for row in layers}),
        watching=timed.median(WATCHER),
        step=statistics.median(timed.plain),
        copy=limits.copy,
        product=limits.product,
        peak=peak,
        backward=backward,
        runs=runs,
        clock=step.clock.name,
    )


class _Step:
    """A step of a net, with what it needs to be run again and again."""

    def __init__(
        self, net: nn.Module, inputs: Any, backward: bool, loss: Loss | None, clock: Clock
    ) -> None:
        self.net, self.inputs, self.backward = net, inputs, backward
        self.loss, self.clock = loss, clock
        self.parts = [(name or type(net).__name__, part) for name, part in _parts(net)]
        self._wanting = [x for x in (*net.parameters(), *_tensors(inputs)) if x.requires_grad]
        self._grads: list[Tensor] | None = None

    def run(self) -> None:
        """Forward, and backward where it is wanted."""
        with torch.set_grad_enabled(self.backward):
            outputs = self.net(*self.inputs)
        if not self.backward:
            return
        ends = _tensors(outputs if self.loss is None else self.loss(outputs))
        ends = [x for x in ends if x.requires_grad]
        if not ends or not self._wanting:
            raise ValueError(
                f"no output of {type(self.net).__name__} has a gradient to any parameter or "
                "input: measure the forward alone, by backward=False"
            )
        if self._grads is None:
            self._grads = [torch.randn_like(x) if self.loss is None else _one(x) for x in ends]
        torch.autograd.grad(ends, self._wanting, self._grads, allow_unused=True)

    def timed(self) -> float:
        """The seconds of a run that nobody watches."""
        rest(self.net)
        self.clock.wait()
        start = self.clock.mark()
        self.run()
        end = self.clock.mark()
        self.clock.wait()
        return self.clock.seconds(start, end)

    def watched(self) -> Seconds:
        """The seconds of a run, by whom they belong to."""
        rest(self.net)
        watch = Watch(self.parts, self.clock.mark)
        self.clock.wait()
        with watch.open():
            self.run()
        self.clock.wait()
        found: Seconds = defaultdict(float)
        for start, end, whose in watch.stretches():
            found[whose] += self.clock.seconds(start, end)
        return found


class _Counted:
    """What a step does, apart from how long it takes: calls, operations and bytes."""

    def __init__(self, step: _Step) -> None:
        self.read: dict[str, int] = defaultdict(int)
        self.written: dict[str, int] = defaultdict(int)
        self.products: dict[str, int] = defaultdict(int)
        self.asked: dict[str, int] = defaultdict(int)
        rest(step.net)
        with ProductCounter() as counter:
            watch = Watch(step.parts, lambda: (counter.total(), counter.calls()), self._see)
            with watch.open():
                step.run()
        for start, end, whose in watch.stretches():
            self.products[whose.name] += end[0] - start[0]
            self.asked[whose.name] += end[1] - start[1]
        self.calls = watch.calls
        rest(step.net)
        self.saved = _saved(step) if step.backward else {}

    def _see(self, name: str, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        there = {x.untyped_storage().data_ptr() for x in inputs}
        new = [x for x in outputs if x.untyped_storage().data_ptr() not in there]
        # What only hands on a view of its input reads and writes nothing.
        if new:
            self.read[name] += sum(map(_bytes, inputs))
            self.written[name] += sum(map(_bytes, new))


class _Timed:
    """The seconds of each run, and by whom they belong to."""

    def __init__(self) -> None:
        self.plain: list[float] = []
        self.watched: list[Seconds] = []

    def median(self, *moments: Moment) -> float:
        """What some take together."""
        return statistics.median(
            sum(run.get(moment, 0.0) for moment in moments) for run in self.watched
        )

    def outside(self, names: Set[str]) -> float:
        """What nobody of these names takes."""
        return statistics.median(
            sum(run[whose] for whose in run if whose != WATCHER and whose.name not in names)
            for run in self.watched
        )


def _timed(step: _Step, runs: int) -> _Timed:
    """Runs with and without a watch in turn, after one of each that warms up."""
    found = _Timed()
    for run in range(runs + 1):
        plain, watched = step.timed(), step.watched()
        if run:
            found.plain.append(plain)
            found.watched.append(watched)
    return found


def _rows(
    step: _Step, counted: _Counted, timed: _Timed, device: torch.device
) -> Iterator[LayerProfile]:
    """Every module without modules inside, and those others that ask torch for something."""
    for name, module in step.parts:
        forward, backward = Moment(name, False), Moment(name, True)
        alone = is_one(module) or not any(module.children())
        if not alone and not counted.asked[name]:
            continue
        yield LayerProfile(
            name=name,
            kind=type(module).__name__,
            group=kind_of(module, counted.products[name]),
            backend=_backend(module, device),
            calls=counted.calls[name],
            forward=timed.median(forward),
            backward=timed.median(backward),
            read=counted.read[name] if alone else 0,
            written=counted.written[name] if alone else 0,
            saved=counted.saved.get(name, 0),
            operations=counted.products[name],
        )


def _saved(step: _Step) -> dict[str, int]:
    """Bytes that each part was the first to save, those of modules inside it included."""
    found: dict[str, int] = defaultdict(int)
    names = {id(module): name for name, module in step.parts}
    owner: dict[str, str] = {}
    for path, module in step.net.named_modules():
        above = owner.get(path.rpartition(".")[0], "")
        owner[path] = names.get(id(module), above)
    for row in memory.report(step.net, *step.inputs).layers:
        found[owner[row.name]] += row.bytes
    return found


def _backend(module: nn.Module, device: torch.device) -> str:
    """The backend that a neuron runs on."""
    node: Any = module.neuron if isinstance(module, memory.NormNeuron) else module
    if not hasattr(node, "supported_backends"):
        return ""
    if kernels.why_not(node, node.backend, device) is not None:
        return "-"
    return kernels.choose(node, node.backend, device).name


def _parts(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """All modules but those inside of one that runs as one."""
    inside = {
        id(inner)
        for module in net.modules()
        if is_one(module)
        for inner in module.modules()
        if inner is not module
    }
    return [(name, module) for name, module in net.named_modules() if id(module) not in inside]


def _place(net: nn.Module, inputs: Any) -> tuple[torch.device, torch.dtype]:
    """The device, and the type of the numbers that are computed with."""
    tensors = [*net.parameters(), *_tensors(inputs)]
    device = tensors[0].device if tensors else torch.device("cpu")
    real = [x.dtype for x in tensors if x.is_floating_point()]
    return device, real[0] if real else torch.float32


def _leaf(x: Tensor) -> Tensor:
    """Without history, through which a backward would run on into what is not ours."""
    return x if x.is_leaf else x.detach().requires_grad_()


def _one(x: Tensor) -> Tensor:
    return torch.ones_like(x)


def _tensors(values: Any) -> list[Tensor]:
    return [x for x in tree_leaves(values) if isinstance(x, Tensor)]


def _bytes(x: Tensor) -> int:
    """The bytes behind a tensor: those of a view that repeats a value, once."""
    count = 1
    for size, stride in zip(x.shape, x.stride(), strict=True):
        count *= 1 if stride == 0 and size else size
    return count * x.element_size()

"""Gives a stateless torch layer its step modes: written once, for all of them."""

import functools
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..base import StepModule
from ..base.location import Location, check_sequences, check_tensor
from ..base.spikes import are_spikes, mark_spikes
from ..base.step import STEP_MODES
from ..functional.sequence import fold, is_static, one_step, repeat, unfold

__all__ = ["StatelessLayer", "check_rank"]

# The attributes that tell how many channels or features a layer takes.
_SIZES = (
    ("in_channels", "C"),
    ("num_features", "C"),
    ("num_channels", "C"),
    ("in_features", "F"),
)


class StatelessLayer(StepModule, nn.Module):
    r"""Mixin that lets a torch layer without state take steps or whole sequences.

    It comes before torch's class: ``class Softmax(StatelessLayer, nn.Softmax)``. With step_mode
    's' the layer is torch's own; with 'm' time is folded into the batch, so that the whole
    sequence is one call. Parameters, buffers and the keys of ``state_dict`` are torch's.

    A sequence that is one step expanded over time (``x.expand(T, *x.shape)``, a static image) is
    computed once, and the output is an expanded view again, which no in-place operation may follow
    (torch: "more than one element of the written-to tensor refers to a single memory location"):
    use the plain form, or ``.clone()``.

    Arguments:
        args: As torch's class takes them.
        step_mode: 's' for one step per call, 'm' for a sequence.
        kwargs: As torch's class takes them.
    Shape:
        input, output: torch's [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    Raises:
        ValueError: The step mode is unknown; or, at a call, the input's rank does not fit it.

    Example:
        >>> import torch
        >>> class Softmax(StatelessLayer, nn.Softmax):
        ...     shapes = ("[N, C]",)
        >>> softmax = Softmax(dim=1, step_mode="m")
        >>> softmax(torch.zeros(3, 1, 2))[0]
        tensor([[0.5000, 0.5000]])
        >>> softmax
        Softmax(dim=1, step_mode=m)
    """

    shapes: ClassVar[tuple[str, ...]] = ("[N, *]",)
    """What one step may look like; one without N is taken in 's' only. ``*`` is any number of
    dimensions, also none."""

    same_every_step: bool = True
    """Whether equal steps give equal outputs. A layer that draws random numbers sets it False."""

    keeps_spikes: bool = False
    """Whether the output of zeros and ones is zeros and ones: a max pool's is."""

    def __init__(self, *args: Any, step_mode: str = "s", **kwargs: Any) -> None:
        if any(value in STEP_MODES for value in (*args, *kwargs.values()) if type(value) is str):
            raise TypeError(
                f"step_mode of {type(self).__name__} is given by name: write step_mode='m'"
            )
        super().__init__(*args, **kwargs)
        self.step_mode = step_mode

    def step_shapes(self) -> tuple[str, ...]:
        """:attr:`shapes`, where they do not depend on the constructor's arguments."""
        return self.shapes

    def forward(self, input: Tensor, *others: Any, **kwargs: Any) -> Any:
        """One step or a sequence, as ``step_mode`` says; other tensors likewise."""
        check_rank(self, input, self.step_shapes())
        run = super().forward if self.step_mode == "s" else self.multi_step_forward
        output = run(input, *others, **kwargs)
        if self.keeps_spikes and are_spikes(input):
            mark_spikes(output[0] if isinstance(output, tuple) else output)
        return output

    def multi_step_forward(self, x_seq: Tensor, *others: Any, **kwargs: Any) -> Any:
        """A sequence: computed once where it is static, else with time folded into the batch."""
        tensors = [x for x in (x_seq, *others, *kwargs.values()) if isinstance(x, Tensor)]
        check_sequences(self, tensors)
        rank = x_seq.dim()
        if all(map(is_static, tensors)) and self.computes_once(x_seq):
            inputs, options = _map(one_step, rank, others, kwargs)
            step = self.repeated_step_forward(x_seq.shape[0], one_step(x_seq), *inputs, **options)
            return repeat(step, x_seq.shape[0])
        inputs, options = _map(fold, rank, others, kwargs)
        return unfold(super().forward(fold(x_seq), *inputs, **options), x_seq)

    def computes_once(self, x_seq: Tensor) -> bool:
        """Whether one step of the static sequence ``x_seq`` tells the whole."""
        return self.same_every_step

    def repeated_step_forward(self, steps: int, x: Tensor, *others: Any, **kwargs: Any) -> Any:
        r"""One step [N, \*] of a static sequence of ``steps`` steps."""
        return super().forward(x, *others, **kwargs)

    def extra_repr(self) -> str:
        """torch's arguments, and the step mode."""
        arguments = super().extra_repr()
        return f"{arguments}, step_mode={self.step_mode}".removeprefix(", ")


def check_rank(module: Any, x: Any, shapes: tuple[str, ...], channels: str = "") -> None:
    """Raise unless ``x`` is a tensor of a rank, and of the channels, that ``module`` takes.

    Arguments:
        module: The module about to run, which has a ``step_mode``.
        x: Its input.
        shapes: What one step may look like, as in :attr:`StatelessLayer.shapes`; C and F are
            compared with the module's own number.
        channels: The attribute with that number of C, if it has none of torch's names.
    Raises:
        TypeError: It is no tensor.
        ValueError: It has another rank, or other channels.
    """
    check_tensor(module, x)
    mode = module.step_mode
    # torch.compile follows no cache.
    read = _sizes if torch.compiler.is_compiling() else _known_sizes
    sizes = read(shapes, mode, x.dim(), channels)
    if sizes is not None:
        _check_sizes(module, x, sizes)
        return
    allowed = shapes if mode == "s" else _of_sequences(shapes)
    what, other = ("one step", _of_sequences(shapes)) if mode == "s" else ("a sequence", shapes)
    raise ValueError(
        f"{Location(module)} with step_mode {mode!r} takes {what} {' or '.join(allowed)}, got an "
        f"input of shape {list(x.shape)}: {_remedy(mode, any(_fits(x.dim(), s) for s in other))}"
    )


def _sizes(
    shapes: tuple[str, ...], step_mode: str, rank: int, channels: str
) -> tuple[tuple[str, str, int, str], ...] | None:
    """Which attributes tell which dimensions of an input; None where no shape is of its rank.

    Each as attribute, name of the dimension, where it is, and the shape.
    """
    allowed = shapes if step_mode == "s" else _of_sequences(shapes)
    shape = next((shape for shape in allowed if _fits(rank, shape)), None)
    if shape is None:
        return None
    names, found = shape[1:-1].split(", "), []
    for attribute, name in (*_SIZES, (channels, "C")):
        if attribute and name in names:
            place = names.index(name)
            if "*" in names[:place]:
                place -= len(names)
            found.append((attribute, name, place, shape))
    return tuple(found)


_known_sizes = functools.cache(_sizes)


def _check_sizes(module: Any, x: Tensor, sizes: tuple[tuple[str, str, int, str], ...]) -> None:
    """Raise a ValueError unless the channels or features of ``x`` are those of ``module``."""
    for attribute, name, place, shape in sizes:
        size = getattr(module, attribute, None)
        # A lazy layer does not know its size yet.
        if isinstance(size, int) and size != 0 and x.shape[place] != size:
            raise ValueError(
                f"{Location(module)} takes {shape} with {name}={size}, got an input of shape "
                f"{list(x.shape)}: make it with {attribute}={x.shape[place]}, or what is in front "
                f"of it with {size} outputs"
            )


def _of_sequences(shapes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"[T, {shape[1:]}" for shape in shapes if shape.startswith("[N"))


def _fits(rank: int, shape: str) -> bool:
    named = shape.count(",") + 1
    return rank >= named - 1 if "*" in shape else rank == named


def _remedy(step_mode: str, fits_other_mode: bool) -> str:
    if not fits_other_mode:
        return "add or remove dimensions until it has one of these shapes"
    if step_mode == "s":
        return "if it is a sequence, call functional.set_step_mode(net, 'm')"
    return (
        "if it is one step, call functional.set_step_mode(net, 's'), or make a sequence of it, "
        "by x.expand(T, *x.shape), which shows it at every step, or an encoder; if code in front "
        "joined dimensions of a sequence (torch.flatten(x, 1)), fold the net: layer.MultiStep(net)"
    )


def _map(fn: Any, rank: int, others: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    """Take sequences to what ``fn`` makes of them, and sizes [T, N, ...] to those of a step."""

    def convert(value: Any) -> Any:
        if isinstance(value, Tensor):
            return fn(value)
        is_size = isinstance(value, list | tuple) and len(value) == rank
        return value[1:] if is_size else value

    return [convert(x) for x in others], {name: convert(x) for name, x in kwargs.items()}

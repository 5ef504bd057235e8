"""Linear maps, flattening and upsampling over steps or sequences."""

from typing import Any

from torch import Tensor, nn

from .. import kernels
from ..base.location import Location
from .wrapper import StatelessLayer

__all__ = ["EventLinear", "Flatten", "Linear", "Upsample"]

# What the interpolation modes take; the others take all of them.
_MODE_SHAPES = {
    "linear": ("[N, C, L]",),
    "bilinear": ("[N, C, H, W]",),
    "bicubic": ("[N, C, H, W]",),
    "trilinear": ("[N, C, D, H, W]",),
}
_SHAPES = ("[N, C, L]", "[N, C, H, W]", "[N, C, D, H, W]")


class EventLinear(nn.Linear):
    """``torch.nn.Linear`` that may be told how to take inputs that are mostly zero."""

    _event_driven: bool | None = None

    @property
    def event_driven(self) -> bool | None:
        """Whether the product skips zeros: None where that is faster, True also in steps."""
        return self._event_driven

    @event_driven.setter
    def event_driven(self, event_driven: bool | None) -> None:
        if event_driven is not None and not isinstance(event_driven, bool):
            raise TypeError(f"event_driven must be True, False or None, got {event_driven!r}")
        if event_driven or self._event_driven:
            lay_out = kernels.input_major if event_driven else Tensor.contiguous
            self.weight.data = lay_out(self.weight.data)
        self._event_driven = event_driven

    def forward(self, input: Tensor) -> Tensor:
        """The product, by its definition or by what the nonzeros of the input select."""
        product = None
        if self._event_driven is not False:
            product = kernels.event_linear(input, self.weight, self.bias)
        return super().forward(input) if product is None else product


class Linear(StatelessLayer, EventLinear):
    r"""``torch.nn.Linear`` with step modes and event-driven products; its arguments, and two more.

    On the CPU, in float32 and float64, a large product whose input is mostly zero (spikes, graded
    ones too) reads the weights that the nonzeros select and no others, forward and for the
    gradient of the weight. Results then differ by rounding from torch's.

    A single step reads the whole weight unless the weights of each input lie side by side. With
    ``event_driven=True`` they do: a layout as channels-last is one, of other strides, but of the
    same shape, values, gradients and keys of ``state_dict``. There is no copy that could be stale.
    A new weight put in its place has its own layout: assign ``event_driven`` again.

    Arguments:
        in_features: Features of the input.
        out_features: Features of the output.
        bias: Learn a bias.
        device: Where the weight is.
        dtype: Of the weight.
        step_mode: 's' for one step per call, 'm' for a sequence.
        event_driven: None uses events for large products, where they are faster; True for those
            of single steps too, in which a zero selects nothing even of a weight that is inf or
            nan; False never does. :func:`functional.set_event_driven` sets it for a net.
    Shape:
        input: [N, \*, F_in] or [F_in] when step_mode is 's', [T, N, \*, F_in] when it is 'm'.
        output: likewise, with F_out.
    Raises:
        TypeError: ``event_driven`` is something else.

    Example:
        >>> import torch
        >>> fc = Linear(3, 5, step_mode="m")
        >>> fc(torch.zeros(4, 2, 3)).shape
        torch.Size([4, 2, 5])
        >>> fc
        Linear(in_features=3, out_features=5, bias=True, step_mode=m)
        >>> Linear(3, 5, event_driven=True).weight.stride()
        (1, 5)
    """

    shapes = ("[N, *, F]", "[F]")

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        step_mode: str = "s",
        event_driven: bool | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype, step_mode=step_mode)
        self.event_driven = event_driven

    def extra_repr(self) -> str:
        """torch's arguments, the step mode, and ``event_driven`` where it is chosen."""
        chosen = "" if self.event_driven is None else f", event_driven={self.event_driven}"
        return super().extra_repr() + chosen


class Flatten(StatelessLayer, nn.Flatten):
    r"""``torch.nn.Flatten`` with step modes; its arguments, and ``step_mode``.

    The dimensions count from the step's, so the defaults keep [N] in 's' and [T, N] in 'm'.

    Shape:
        input: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
        output: [N, F] or [T, N, F] by default, F the product of the rest.
    Raises:
        ValueError: With step_mode 'm', at a call, ``start_dim`` is the batch.

    Example:
        >>> import torch
        >>> Flatten(step_mode="m")(torch.zeros(4, 2, 3, 5, 5)).shape
        torch.Size([4, 2, 75])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1, *, step_mode: str = "s") -> None:
        super().__init__(start_dim, end_dim, step_mode=step_mode)

    def multi_step_forward(self, x_seq: Tensor, *others: Any, **kwargs: Any) -> Any:
        """A sequence, of which every sample of every step is flattened."""
        if self.start_dim in (0, 1 - x_seq.dim()):
            raise ValueError(
                f"{Location(self)} with step_mode 'm' keeps time and batch, got start_dim="
                f"{self.start_dim} for an input of shape {list(x_seq.shape)}: count from the "
                "step's dimensions [N, *] and begin at 1, or use torch's own nn.Flatten"
            )
        return super().multi_step_forward(x_seq, *others, **kwargs)


class Upsample(StatelessLayer, nn.Upsample):
    """``torch.nn.Upsample`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, L], [N, C, H, W] or [N, C, D, H, W], as ``mode`` allows, when
            step_mode is 's', with a leading T when it is 'm'.

    Example:
        >>> import torch
        >>> Upsample(scale_factor=2, step_mode="m")(torch.zeros(4, 1, 2, 3, 3)).shape
        torch.Size([4, 1, 2, 6, 6])
    """

    def __init__(
        self,
        size: int | tuple[int, ...] | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
        *,
        step_mode: str = "s",
    ) -> None:
        rest = (mode, align_corners, recompute_scale_factor)
        super().__init__(size, scale_factor, *rest, step_mode=step_mode)

    def step_shapes(self) -> tuple[str, ...]:
        """The shapes for the mode, or for as many sizes or factors as are given."""
        given = self.size if self.size is not None else self.scale_factor
        if isinstance(given, tuple | list) and 1 <= len(given) <= len(_SHAPES):
            return (_SHAPES[len(given) - 1],)
        return _MODE_SHAPES.get(self.mode, _SHAPES)

"""Base classes of encoders: those that remember nothing, and those that play back an encoding."""

from typing import Any

import torch
from torch import Tensor, nn

from .. import base, kernels
from ..base.location import Location
from .check import check_steps, check_tensor

__all__ = ["StatefulEncoder", "StatelessEncoder"]


class StatelessEncoder(nn.Module, base.StepModule):
    r"""Base class of encoders whose every call stands alone; subclasses write ``forward``.

    Arguments:
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.

    Example:
        >>> class Threshold(StatelessEncoder):
        ...     def forward(self, x):
        ...         return (x >= 0.5).to(x)
        >>> Threshold()(torch.tensor([0.2, 0.7]))
        tensor([0., 1.])
    """

    def __init__(self, step_mode: str = "s") -> None:
        super().__init__()
        self.step_mode = step_mode

    def forward(self, x: Tensor) -> Tensor:
        """Encode the input. Subclasses write this."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(x), which encodes x")

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"step_mode={self.step_mode!r}"


class StatefulEncoder(base.MemoryModule):
    r"""Base class of encoders that turn one input into T steps and play them back.

    The first call after a reset encodes its input and returns step 0; the t-th call returns step
    t. After T steps the same encoding starts again. Every call takes the same input (or none): a
    different one needs a reset first, and raises until then. Each comparison waits for the
    device; a call without an input makes none. Gradients do not flow into the input.

    A subclass writes :meth:`single_step_encode`.

    Arguments:
        T: Number of time steps of one encoding.
        step_mode: 's' for one step per call. 'm' for a sequence, which repeats one input at every
            step (:func:`direct` makes it without a copy) and gets as many steps back.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'. Without an input,
        'm' plays T steps.
    State:
        spike: the encoding, [T, N, \*]; starts at None.
        t: the step that the next call returns; starts at 0.
        encoded: the input it encodes, [N, \*]; starts at None.
    Raises:
        ValueError: T is not a positive int, the input differs from the one that is being
            encoded, or the first call has none.
        RuntimeError: The input is on another device than the one that is being encoded.

    Example:
        >>> class Countdown(StatefulEncoder):
        ...     def single_step_encode(self, x):
        ...         return torch.stack([(x == t).to(x) for t in range(self.T)])
        >>> encoder, x = Countdown(T=3), torch.tensor([0.0, 2.0])
        >>> encoder(x), encoder(x), encoder(x)
        (tensor([1., 0.]), tensor([0., 0.]), tensor([0., 1.]))
    """

    spike: Any
    t: int
    encoded: Any

    def __init__(self, T: int, step_mode: str = "s") -> None:
        super().__init__()
        self.step_mode = step_mode
        self.T = check_steps("T", T)
        self.register_memory("spike", None)
        self.register_memory("t", 0)
        self.register_memory("encoded", None)

    def single_step_encode(self, x: Tensor) -> Tensor | None:
        """Encode one input [N, \\*] as [T, N, \\*]: return it, or assign it to ``self.spike``."""
        raise NotImplementedError(
            f"{type(self).__name__} must define single_step_encode(x), which returns [T, N, *]"
        )

    def single_step_forward(self, x: Tensor | None = None) -> Tensor:
        """The next step of the encoding of ``x``."""
        self._follow(x)
        t = self._advance(1)
        # Copies, here and below, so that in-place layers behind cannot change the encoding.
        spike: Tensor = self.spike[t].clone()
        return spike

    def multi_step_forward(self, x_seq: Tensor | None = None) -> Tensor:
        """As many steps of the encoding as the sequence has, or one period without a sequence."""
        if x_seq is not None:
            self._check_static(x_seq)
        self._follow(None if x_seq is None else x_seq[0])
        period = self.spike.shape[0]
        steps = period if x_seq is None else x_seq.shape[0]
        t = self._advance(steps) + torch.arange(steps, device=self.spike.device)
        spike_seq: Tensor = self.spike[t % period]
        return spike_seq

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"T={self.T}, step_mode={self.step_mode!r}"

    def _follow(self, x: Tensor | None) -> None:
        """Encode a first input; check that a later one is the same."""
        if self.spike is None:
            self._start(x)
        elif x is not None:
            self._check_same(x)

    def _start(self, x: Tensor | None) -> None:
        if x is None:
            raise ValueError(
                f"{Location(self)} has nothing to play: its first call after a reset needs the "
                "input to encode"
            )
        check_tensor(type(self).__name__, x)
        spike = self.single_step_encode(x)
        spike = self.spike if spike is None else spike
        self.spike = None
        if not isinstance(spike, Tensor) or spike.dim() < 1 or spike.shape[0] != self.T:
            got = list(spike.shape) if isinstance(spike, Tensor) else type(spike).__name__
            raise ValueError(
                f"{type(self).__name__}.single_step_encode must give a tensor [T, N, *] with "
                f"T={self.T}, got {got}"
            )
        self.spike, self.encoded = spike, x.detach().clone()

    def _advance(self, steps: int) -> int:
        t = self.t
        self.t = (t + steps) % self.spike.shape[0]
        return t

    def _check_same(self, x: Tensor) -> None:
        check_tensor(type(self).__name__, x)
        encoded = self.encoded
        if x.device != encoded.device:
            raise RuntimeError(
                f"{Location(self)}: the input being encoded is on {encoded.device} but this one "
                f"is on {x.device}: move the net with net.to(device), or call "
                "functional.reset_net(net)"
            )
        if x.dtype != encoded.dtype or not torch.equal(x, encoded):
            raise ValueError(
                f"{Location(self)} is at step {self.t} of the encoding of another input "
                f"({_show(encoded)}), got a different one ({_show(x)}): call "
                "functional.reset_net(net) before a new input"
            )

    def _check_static(self, x_seq: Tensor) -> None:
        check_tensor(type(self).__name__, x_seq)
        kernels.check_sequences((x_seq,))
        if x_seq.stride(0) != 0 and not bool((x_seq == x_seq[:1]).all()):
            raise ValueError(
                f"{Location(self)} encodes one input over time, but the steps of this sequence "
                f"({_show(x_seq)}) differ: with step_mode 'm' pass encoding.direct(x, T), which "
                "repeats x, or encode a changing input with PoissonEncoder or DeltaEncoder"
            )


def _show(x: Tensor) -> str:
    return f"{list(x.shape)}, {str(x.dtype).removeprefix('torch.')}"

"""Delays over time: by whole steps, and by a learned real number of steps."""

import torch
from torch import Tensor, nn

from ..base import MemoryModule
from ..base.location import Location, check_sequences, check_tensor

__all__ = ["Delay", "LearnableDelay"]


class _Queue(MemoryModule):
    """Keeps the last inputs, zeros before the first one."""

    queue: Tensor | None

    def __init__(self, length: int, step_mode: str) -> None:
        super().__init__()
        self._length = length
        self.step_mode = step_mode
        self.register_memory("queue", None)

    def single_step_forward(self, x: Tensor) -> Tensor:
        """One step."""
        check_tensor(self, x)
        return self.multi_step_forward(x.unsqueeze(0)).squeeze(0)

    def _extended(self, x_seq: Tensor) -> Tensor:
        r"""The inputs before the sequence and then the sequence, [length + T, N, \*]."""
        check_sequences(self, (x_seq,))
        after_batch = min(1, x_seq.dim() - 1)
        if self.queue is None:
            before = x_seq.new_zeros(self._length, *x_seq.shape[1:])
        else:
            before = self.queue.movedim(after_batch, 0)
            self._check_fits(before, x_seq)
        extended = torch.cat((before.to(x_seq.dtype), x_seq))
        # [N, length, *]: a state has the batch first.
        self.queue = extended[x_seq.shape[0] :].movedim(0, after_batch)
        return extended

    def _check_fits(self, before: Tensor, x_seq: Tensor) -> None:
        if before.shape[1:] != x_seq.shape[1:]:
            raise ValueError(
                f"{Location(self)}: the steps in queue have shape {list(before.shape[1:])} but "
                f"the input is {list(x_seq.shape[1:])}: call functional.reset_net(net) before a "
                "new sequence"
            )
        if before.device != x_seq.device:
            raise RuntimeError(
                f"{Location(self)}: queue is on {before.device} but the input is on "
                f"{x_seq.device}: move the net with net.to(device), or call "
                "functional.reset_net(net)"
            )


class Delay(_Queue):
    r"""Delays its input by a number of steps.

    .. math::
        Y[t] = X[t - d], \quad 0 \text{ before the first step}

    Arguments:
        delay_steps: The delay :math:`d`, in steps, 0 or more.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        queue: the last d inputs, [N, d, \*]; None until the first step.
    Raises:
        ValueError: The delay is not an int of 0 or more; at a call, the steps in the queue have
            another shape than the input.
        RuntimeError: At a call, the queue is on another device than the input.

    Example:
        >>> Delay(2, step_mode="m")(torch.arange(1.0, 5.0).view(4, 1)).flatten()
        tensor([0., 0., 1., 2.])
    """

    def __init__(self, delay_steps: int, step_mode: str = "s") -> None:
        if isinstance(delay_steps, bool) or not isinstance(delay_steps, int) or delay_steps < 0:
            raise ValueError(
                f"delay_steps must be an int of 0 or more, got {delay_steps!r}: for a real or "
                "learned delay use LearnableDelay"
            )
        super().__init__(delay_steps, step_mode)

    @property
    def delay_steps(self) -> int:
        """The delay, in steps."""
        return self._length

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        """A sequence, late."""
        return self._extended(x_seq)[: x_seq.shape[0]]

    def extra_repr(self) -> str:
        """The arguments."""
        return f"delay_steps={self.delay_steps}, step_mode={self.step_mode}"


class LearnableDelay(_Queue):
    r"""Delays each channel or neuron by a learned real number of steps.

    .. math::
        Y[t] &= (1 - f)\, X[t - k] + f\, X[t - k - 1] \\
        k &= \lfloor d \rfloor, \quad f = d - k, \quad 0 \le d \le d_{max}

    Between whole steps the input is interpolated linearly, which gives the delay its gradient. A
    delay that an optimiser has pushed out of its range acts as the nearest one in it, and still
    has a gradient, so that it can come back. The cost grows with the largest delay.

    Arguments:
        delay: The delays to begin with, in steps: a number, or a tensor that broadcasts to a step
            [N, \*] (per channel [C, 1, 1] for [N, C, H, W], per neuron).
        max_delay: The largest delay, an int of at least 1.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        queue: the last max_delay inputs, [N, max_delay, \*]; None until the first step.
    Raises:
        ValueError: max_delay is not a positive int, or a delay is out of range; at a call, the
            delays do not broadcast to the input, or the queue has steps of another shape.
        RuntimeError: At a call, the queue is on another device than the input.
    References:
        | Learning Delays in Spiking Neural Networks Using Dilated Convolutions With Learnable
          Spacings (Hammouamri et al., 2023)
        | https://arxiv.org/abs/2306.17670

    Example:
        >>> late = LearnableDelay(torch.tensor([0.0, 1.5]), max_delay=3, step_mode="m")
        >>> late(torch.eye(4, 1).expand(4, 2).unsqueeze(1)).squeeze(1).T.detach()
        tensor([[1.0000, 0.0000, 0.0000, 0.0000],
                [0.0000, 0.5000, 0.5000, 0.0000]])
    """

    def __init__(self, delay: float | Tensor, max_delay: int, step_mode: str = "s") -> None:
        if isinstance(max_delay, bool) or not isinstance(max_delay, int) or max_delay < 1:
            raise ValueError(f"max_delay must be an int of at least 1, got {max_delay!r}")
        values = torch.as_tensor(delay, dtype=torch.get_default_dtype())
        if not bool(((values >= 0) & (values <= max_delay)).all()):
            raise ValueError(
                f"delay must be from 0 to max_delay={max_delay}, in steps, got values from "
                f"{values.min().item()} to {values.max().item()}"
            )
        super().__init__(max_delay, step_mode)
        self.delay = nn.Parameter(values.clone())

    @property
    def max_delay(self) -> int:
        """The largest delay, in steps."""
        return self._length

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        """A sequence, late."""
        check_sequences(self, (x_seq,))
        self._check_broadcasts(x_seq)
        steps, extended = x_seq.shape[0], self._extended(x_seq)
        y_seq = torch.zeros_like(x_seq)
        for lag, weight in enumerate(self._weights(x_seq)):
            start = self.max_delay - lag
            y_seq = y_seq + weight * extended[start : start + steps]
        return y_seq

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"delay={list(self.delay.shape)}, max_delay={self.max_delay}, "
            f"step_mode={self.step_mode}"
        )

    def _weights(self, x_seq: Tensor) -> list[Tensor]:
        """The share of each lag, 0 to max_delay, in the output."""
        inside = self.delay.detach().clamp(0, self.max_delay)
        delay = self.delay + (inside - self.delay.detach())
        # One of the largest delay lies between the last two lags.
        whole = inside.floor().clamp(max=self.max_delay - 1)
        part = (delay - whole).to(x_seq.dtype)
        near = [(whole == lag).to(x_seq.dtype) for lag in range(self.max_delay)]
        zero = torch.zeros_like(near[0])
        lags = zip([*near, zero], [zero, *near], strict=True)
        return [(1 - part) * here + part * before for here, before in lags]

    def _check_broadcasts(self, x_seq: Tensor) -> None:
        sizes = zip(reversed(self.delay.shape), reversed(x_seq.shape[1:]), strict=False)
        if self.delay.dim() >= x_seq.dim() or any(n not in (1, size) for n, size in sizes):
            raise ValueError(
                f"{Location(self)}: delay has shape {list(self.delay.shape)}, which does not "
                f"broadcast to the input {list(x_seq.shape[1:])}: give it one value per neuron, "
                "or per channel ([C, 1, 1] for an input [N, C, H, W])"
            )

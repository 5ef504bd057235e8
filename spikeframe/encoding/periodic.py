"""Plays a given spike train over and over."""

from torch import Tensor

from .check import check_tensor
from .encoder import StatefulEncoder

__all__ = ["PeriodicEncoder"]


class PeriodicEncoder(StatefulEncoder):
    r"""Return step t mod T of a given sequence at the t-th call.

    .. math::
        S[t] = spike\_seq[t \bmod T]

    It needs no input. One given nevertheless is, as in SpikingJelly, a sequence to be played
    instead until the next reset (its length becomes T).

    Arguments:
        spike_seq: The sequence of T steps, [T, N, \*]; kept as a constant.
        step_mode: 's' for one step per call, 'm' for T steps.
    Shape:
        output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        spike, t, encoded: those of :class:`StatefulEncoder`.
    Raises:
        TypeError: The sequence is not a tensor.
        ValueError: It has no steps, or another one is passed before a reset.

    Example:
        >>> import torch
        >>> encoder = PeriodicEncoder(torch.tensor([1.0, 0.0, 0.0]))
        >>> [encoder().item() for _ in range(5)]
        [1.0, 0.0, 0.0, 1.0, 0.0]
    """

    spike_seq: Tensor

    def __init__(self, spike_seq: Tensor, step_mode: str = "s") -> None:
        _check_period(spike_seq)
        super().__init__(spike_seq.shape[0], step_mode)
        self.register_buffer("spike_seq", spike_seq.detach().clone(), persistent=False)

    def single_step_encode(self, x: Tensor) -> Tensor:
        """The sequence itself."""
        _check_period(x)
        self.T = x.shape[0]
        return x.detach().clone()

    def _start(self, x: Tensor | None) -> None:
        super()._start(self.spike_seq if x is None else x)


def _check_period(spike_seq: Tensor) -> None:
    check_tensor("PeriodicEncoder", spike_seq)
    if spike_seq.dim() < 1 or spike_seq.shape[0] < 1:
        raise ValueError(
            f"PeriodicEncoder plays a sequence [T, N, *] of at least one step, got shape "
            f"{list(spike_seq.shape)}"
        )

"""Delta coding: a spike where the input has risen (or fallen) since the last step."""

import torch
from torch import Tensor

from .. import base, kernels
from .check import check_finite, check_flag, check_number, check_tensor

__all__ = ["DeltaEncoder", "delta"]


def delta(
    x_seq: Tensor, threshold: float = 0.1, *, padding: bool = False, off_spike: bool = False
) -> Tensor:
    r"""Encode the changes of a sequence as spikes.

    .. math::
        S[t] = \Theta(X[t] - X[t-1] - \theta) \; \left[- \Theta(X[t-1] - X[t] - \theta)\right]

    :math:`\Theta(0) = 1`: a change of exactly the threshold fires. Integers are compared exactly,
    unsigned ones too. Gradients do not flow through it. The check for nan waits for the device.

    Arguments:
        x_seq: The sequence, of any real dtype.
        threshold: The smallest change :math:`\theta > 0` that fires, in units of the input.
        padding: Count the first step as unchanged; otherwise it is compared with 0.
        off_spike: A fall by the threshold gives -1 (the term in brackets).
    Shape:
        x_seq, output: [T, N, \*], in the dtype of x_seq.
    Raises:
        TypeError: x_seq is not a real tensor, cannot hold the -1 of off_spike, or another argument
            is of another type.
        ValueError: x_seq has no steps, or nan or inf; or the threshold is not above 0.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
        | (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> delta(torch.tensor([0, 5, 5, 9, 0]), threshold=4)
        tensor([0, 1, 0, 1, 0])
        >>> delta(torch.tensor([0, 5, 5, 9, 0]), threshold=4, off_spike=True)
        tensor([ 0,  1,  0,  1, -1])
    """
    encoder = DeltaEncoder(threshold, padding=padding, off_spike=off_spike)
    return encoder.multi_step_forward(x_seq)


class DeltaEncoder(base.MemoryModule):
    r"""Encode changes since the last call as spikes, for input that arrives step by step.

    The same code as :func:`delta`, whose equation is here too; the step before is remembered
    until a reset.

    Arguments:
        threshold: The smallest change that fires, above 0, in units of the input.
        padding: Count the first step as unchanged; otherwise it is compared with 0.
        off_spike: A fall by the threshold gives -1.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'; any real dtype.
    State:
        previous: the last step's input, [N, \*]; starts at None.
    Raises:
        TypeError: The input is not a real tensor, cannot hold the -1 of off_spike, or an argument
            is of another type.
        ValueError: The input has nan or inf or no steps, its shape changes before a reset, or the
            threshold is not above 0.

    Example:
        >>> encoder = DeltaEncoder(threshold=4)
        >>> [encoder(torch.tensor(x)).item() for x in (0.0, 5.0, 5.0, 9.0, 0.0)]
        [0.0, 1.0, 0.0, 1.0, 0.0]
    """

    def __init__(
        self,
        threshold: float = 0.1,
        *,
        padding: bool = False,
        off_spike: bool = False,
        step_mode: str = "s",
    ) -> None:
        super().__init__()
        self.threshold = check_number("threshold", threshold, above=0.0)
        self.padding = check_flag("padding", padding)
        self.off_spike = check_flag("off_spike", off_spike)
        self.step_mode = step_mode
        self.register_memory("previous", None)

    def single_step_forward(self, x: Tensor) -> Tensor:
        """The spikes of one step, compared with the call before."""
        self._check(x)
        before = self._before(x)
        self.previous = x.detach().clone()
        return self._changes(x, before)

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        """The spikes of a sequence, whose first step is compared with the call before."""
        self._check(x_seq)
        kernels.check_sequences((x_seq,))
        before = torch.cat([_signed(self._before(x_seq[0])).unsqueeze(0), _signed(x_seq[:-1])])
        self.previous = x_seq[-1].detach().clone()
        return self._changes(x_seq, before)

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return (
            f"threshold={self.threshold:g}, padding={self.padding}, off_spike={self.off_spike}, "
            f"step_mode={self.step_mode!r}"
        )

    def _check(self, x: Tensor) -> None:
        check_tensor("delta", x)
        check_finite("delta", x)
        if self.off_spike and not x.dtype.is_signed:
            raise TypeError(
                f"off_spike=True gives -1, which {x.dtype} cannot hold: convert the input, for "
                "example with x.to(torch.int16) or x.float()"
            )

    def _before(self, x: Tensor) -> Tensor:
        self.fit_memories(x, ["previous"])
        if self.previous is not None:
            previous: Tensor = self.previous
            return previous
        return x if self.padding else torch.zeros_like(x)

    def _changes(self, x: Tensor, before: Tensor) -> Tensor:
        change = _signed(x) - _signed(before)
        spikes = (change >= self.threshold).to(x.dtype)
        return spikes - (change <= -self.threshold).to(x.dtype) if self.off_spike else spikes


def _signed(x: Tensor) -> Tensor:
    """Values whose differences are right: integers in float64, halves in float32."""
    if not x.is_floating_point():
        return x.double()
    return x.detach() if x.dtype == torch.float64 else x.detach().float()

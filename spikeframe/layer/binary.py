"""Counts of spikes as spikes over more steps, and back."""

import torch
from torch import Tensor, nn

from ..base import MultiStepModule
from ..base.location import check_sequences

__all__ = ["SpikeCountToBinary", "TemporalBinSum"]


class _Slots(MultiStepModule, nn.Module):
    """A number of slots, which are used in eval."""

    def __init__(self, num_slots: int, always_convert: bool = False) -> None:
        super().__init__()
        if isinstance(num_slots, bool) or not isinstance(num_slots, int) or num_slots < 1:
            raise ValueError(f"num_slots must be an int of at least 1, got {num_slots!r}")
        self.num_slots, self.always_convert = num_slots, always_convert

    def forward(self, x_seq: Tensor) -> Tensor:
        """The sequence in training, unless ``always_convert``; else converted."""
        check_sequences(self, (x_seq,))
        if self.training and not self.always_convert:
            return x_seq
        return self.convert(x_seq)

    def convert(self, x_seq: Tensor) -> Tensor:
        """What a subclass does with the sequence."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """The arguments."""
        return f"num_slots={self.num_slots}, always_convert={self.always_convert}"


class SpikeCountToBinary(_Slots):
    r"""Spreads the integer spikes of a step over several steps of binary ones.

    A count n becomes n spikes in the first of ``num_slots`` steps, so a net trained with integer
    spikes (``ILIFNode``) infers with binary ones. The gradient of each is that of the mean count.

    Arguments:
        num_slots: Steps for each step: the largest count.
        always_convert: Convert in training, too.
    Shape:
        input: [T, N, \*]; output: [T num_slots, N, \*] (in training [T, N, \*]).
    Raises:
        ValueError: ``num_slots`` is not a positive int.
    References:
        | Integer-Valued Training and Spike-Driven Inference Spiking Neural Network for
          High-performance and Energy-efficient Object Detection (Luo et al., 2024)
        | https://arxiv.org/abs/2407.20708

    Example:
        >>> SpikeCountToBinary(3).eval()(torch.tensor([[2.0], [0.0]])).flatten()
        tensor([1., 1., 0., 0., 0., 0.])
    """

    def convert(self, x_seq: Tensor) -> Tensor:
        r"""Counts [T, N, \*] as spikes [T num_slots, N, \*]."""
        counts = x_seq.unsqueeze(1)
        slots = torch.arange(self.num_slots, device=x_seq.device)
        slots = slots.view(1, -1, *[1] * (x_seq.dim() - 1))
        spikes = (slots < counts).to(x_seq.dtype)
        share = counts / self.num_slots
        return (spikes + (share - share.detach())).flatten(0, 1)


class TemporalBinSum(_Slots):
    r"""Adds up groups of steps, as :class:`SpikeCountToBinary` made them.

    Arguments:
        num_slots: Steps that become one; zeros are added where the last ones are fewer.
        always_convert: Convert in training, too.
    Shape:
        input: [T, N, \*]; output: [ceil(T / num_slots), N, \*] (in training [T, N, \*]).
    Raises:
        ValueError: ``num_slots`` is not a positive int.

    Example:
        >>> TemporalBinSum(3).eval()(torch.tensor([[1.0], [1.0], [0.0], [1.0]])).flatten()
        tensor([2., 1.])
    """

    def convert(self, x_seq: Tensor) -> Tensor:
        r"""Spikes [T, N, \*] as counts."""
        missing = -x_seq.shape[0] % self.num_slots
        if missing:
            x_seq = torch.cat((x_seq, x_seq.new_zeros(missing, *x_seq.shape[1:])))
        return x_seq.unflatten(0, (-1, self.num_slots)).sum(1)

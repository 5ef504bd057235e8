"""The mean of groups of outputs: several neurons vote for one class."""

from torch import Tensor, nn

from ..base.location import Location
from .wrapper import StatelessLayer

__all__ = ["VotingLayer"]


class _Voting(nn.Module):
    def __init__(self, voting_size: int = 10) -> None:
        super().__init__()
        if isinstance(voting_size, bool) or not isinstance(voting_size, int) or voting_size < 1:
            raise ValueError(f"voting_size must be an int of at least 1, got {voting_size!r}")
        self.voting_size = voting_size

    def forward(self, input: Tensor) -> Tensor:
        if input.shape[-1] % self.voting_size:
            raise ValueError(
                f"{Location(self)} takes groups of voting_size={self.voting_size}, got an input "
                f"of shape {list(input.shape)}: make the last dimension a multiple of it"
            )
        return input.unflatten(-1, (-1, self.voting_size)).mean(-1)

    def extra_repr(self) -> str:
        return f"voting_size={self.voting_size}"


class VotingLayer(StatelessLayer, _Voting):
    r"""Averages groups of neighbouring features: ``voting_size`` neurons speak for one class.

    Arguments:
        voting_size: Number of neurons of one class.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input: [N, \*, C * voting_size] or [C * voting_size] when step_mode is 's',
            [T, N, \*, C * voting_size] when it is 'm'.
        output: likewise, with C.
    Raises:
        ValueError: ``voting_size`` is not a positive int; at a call, the last dimension is no
            multiple of it.
    References:
        | Incorporating Learnable Membrane Time Constant to Enhance Learning of Spiking Neural
          Networks (Fang et al., 2021)
        | https://arxiv.org/abs/2007.05785

    Example:
        >>> import torch
        >>> VotingLayer(2)(torch.tensor([[1.0, 0.0, 1.0, 1.0]]))
        tensor([[0.5000, 1.0000]])
    """

    shapes = ("[N, *, F]", "[F]")

    def __init__(self, voting_size: int = 10, step_mode: str = "s") -> None:
        super().__init__(voting_size, step_mode=step_mode)

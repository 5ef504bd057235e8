"""Direct coding: the input itself at every step, without a copy."""

from torch import Tensor, nn

from .check import check_steps, check_tensor

__all__ = ["Direct", "direct"]


def direct(x: Tensor, T: int) -> Tensor:
    r"""Show the input at each of T steps, as a view: the time dimension has stride 0.

    The first layer of the net then acts as the encoder. Gradients flow, summed over time. The
    view shares the input's memory and cannot be written to in place; ``.clone()`` makes a copy.

    Arguments:
        x: The input, of any dtype.
        T: Number of time steps.
    Shape:
        x: [N, \*] of any rank; output: [T, N, \*].
    Raises:
        TypeError: x is not a tensor.
        ValueError: T is not a positive int.
    References:
        | Direct Training for Spiking Neural Networks: Faster, Larger, Better (Wu et al., 2019)
        | https://arxiv.org/abs/1809.05793

    Example:
        >>> import torch
        >>> x_seq = direct(torch.zeros(2, 3), T=4)
        >>> x_seq.shape, x_seq.stride()
        (torch.Size([4, 2, 3]), (0, 3, 1))
    """
    check_steps("T", T)
    check_tensor("direct", x)
    return x.unsqueeze(0).expand(T, *x.shape)


class Direct(nn.Module):
    r"""Show the input at each of T steps: :func:`direct` as the head of a multi-step net.

    Arguments:
        T: Number of time steps; may be assigned later.
    Shape:
        input: [N, \*] of any rank; output: [T, N, \*], a view.
    Raises:
        TypeError: The input is not a tensor.
        ValueError: T is not a positive int.

    Example:
        >>> import torch
        >>> Direct(T=4)(torch.zeros(2, 3)).shape
        torch.Size([4, 2, 3])
    """

    def __init__(self, T: int) -> None:
        super().__init__()
        self.T = check_steps("T", T)

    def forward(self, x: Tensor) -> Tensor:
        """The input with a leading time dimension."""
        return direct(x, self.T)

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"T={self.T}"

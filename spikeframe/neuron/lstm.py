"""The LSTM cells of the snnTorch family, whose hidden state fires."""

from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .feedback import run_in_own_dtype, same_padding
from .parameter import check_count
from .spiking_neuron import Options, SpikingNeuron, always

__all__ = ["SConv2dLSTM", "SLSTM"]

Size = int | tuple[int, int]


class SLSTM(SpikingNeuron):
    r"""LSTM cell whose hidden state is a membrane potential that fires.

    .. math::
        I[t], H[t] &= \text{LSTMCell}(X[t], (U[t-1], I[t-1])) \\
        R[t] &= \Theta(U[t-1] - U_{thr}),\quad S[t] = \Theta(U[t] - U_{thr}) \\
        U[t] &= H[t] - R[t]\, U_{thr} \quad\text{('subtract')},\quad
            (1 - R[t])\, H[t] \quad\text{('zero')},\quad H[t] \quad\text{('none')}

    The potential stays within (-1, 1): with the default threshold of 1 it never fires, so give a
    lower one. (snnTorch 1.0.0 forgets both states at every step unless input and hidden size are
    equal, and ignores ``inhibition``.)

    Arguments:
        input_size: Features of the input, its last dimension.
        hidden_size: Features of the states and the output.
        bias: Add biases to the gates.
        options: As :class:`SpikingNeuron` takes them; ``reset_mechanism`` is 'none' by default.
    Shape:
        input: [N, F_in] when step_mode is 's', [T, N, F_in] when it is 'm'.
        output: likewise, with F_hidden.
    State:
        syn: cell state :math:`I`, [N, F_hidden]; 0 before the first step.
        mem: hidden state :math:`U`, likewise.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.
    References:
        | Long Short-Term Memory (Hochreiter, Schmidhuber, 1997)
        | https://doi.org/10.1162/neco.1997.9.8.1735

    Example:
        >>> node = SLSTM(3, 4, threshold=0.1, step_mode="m")
        >>> node(torch.ones(5, 2, 3)).shape, node.mem.shape
        (torch.Size([5, 2, 4]), torch.Size([2, 4]))
    """

    syn: Any

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        **options: Unpack[Options],
    ) -> None:
        options.setdefault("reset_mechanism", "none")
        super().__init__(**options)
        sizes = check_count("input_size", input_size), check_count("hidden_size", hidden_size)
        self.lstm_cell = nn.LSTMCell(*sizes, bias)
        self.register_memory("syn", 0.0)

    def neuronal_charge(self, x: Tensor) -> None:
        """The gates."""
        states = (self.mem, self.syn)
        self.mem, self.syn = run_in_own_dtype(self.lstm_cell, x, states)

    def quantize_states(self) -> None:
        """Send both states through ``state_quant``."""
        super().quantize_states()
        if self.state_quant is not None:
            self.syn = self.state_quant(self.syn)

    def state_like(self, x: Tensor) -> Tensor:
        """A tensor like a state: the input with the hidden features."""
        return x.new_empty(()).expand(*x.shape[:-1], self.lstm_cell.hidden_size)

    def check_output(self, output: Tensor, x: Tensor) -> None:
        """The output has the shape of the states."""
        super().check_output(output, self.state_like(x))


class SConv2dLSTM(SpikingNeuron):
    r"""Convolutional LSTM cell whose hidden state is a membrane potential that fires.

    .. math::
        i, f, o, g &= \text{Conv}(X[t], U[t-1]) \\
        I[t] &= \sigma(f)\, I[t-1] + \sigma(i) \tanh(g),\quad H[t] = \sigma(o) \tanh(I[t]) \\
        R[t] &= \Theta(U[t-1] - U_{thr}),\quad S[t] = \Theta(\text{pool}(U[t]) - U_{thr}) \\
        U[t] &= H[t] - R[t]\, U_{thr} \quad\text{('subtract')},\quad
            (1 - R[t])\, H[t] \quad\text{('zero')},\quad H[t] \quad\text{('none')}

    Only what fires is pooled, not the states. The potential stays within (-1, 1): with the default
    threshold of 1 it never fires, so give a lower one.

    Arguments:
        in_channels: Channels of the input.
        out_channels: Channels of the states and the output.
        kernel_size: Kernel of the convolution, of odd size.
        bias: Add a bias to the gates.
        max_pool: Size of a max pooling before firing; None for none.
        avg_pool: Size of an average pooling before firing; None for none.
        options: As :class:`SpikingNeuron` takes them, but for ``reset_delay``;
            ``reset_mechanism`` is 'none' by default.
    Shape:
        input: [N, C_in, H, W] when step_mode is 's', [T, N, C_in, H, W] when it is 'm'.
        output: likewise, with C_out, and H and W pooled.
    State:
        syn: cell state :math:`I`, [N, C_out, H, W]; 0 before the first step.
        mem: hidden state :math:`U`, likewise.
    Raises:
        TypeError: An argument is of another type.
        ValueError: Both poolings are given, or an argument is outside of what is allowed.
    References:
        | Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting
          (Shi et al., 2015)
        | https://arxiv.org/abs/1506.04214

    Example:
        >>> node = SConv2dLSTM(1, 4, kernel_size=3, max_pool=2, threshold=0.1)
        >>> node(torch.ones(2, 1, 6, 6)).shape, node.mem.shape
        (torch.Size([2, 4, 3, 3]), torch.Size([2, 4, 6, 6]))
    """

    syn: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        bias: bool = True,
        max_pool: Size | None = None,
        avg_pool: Size | None = None,
        **options: Unpack[Options],
    ) -> None:
        options.setdefault("reset_mechanism", "none")
        super().__init__(**always(SConv2dLSTM, options, reset_delay=True))
        if max_pool and avg_pool:
            raise ValueError(
                f"give max_pool or avg_pool, got both: max_pool={max_pool}, avg_pool={avg_pool}"
            )
        self.max_pool, self.avg_pool = max_pool, avg_pool
        for name, size in (("in_channels", in_channels), ("out_channels", out_channels)):
            check_count(name, size)
        channels = (in_channels + out_channels, 4 * out_channels)
        padding = same_padding(kernel_size)
        self.conv = nn.Conv2d(*channels, kernel_size, padding=padding, bias=bias)
        self.register_memory("syn", 0.0)

    def neuronal_charge(self, x: Tensor) -> None:
        """The gates."""
        gates = run_in_own_dtype(self.conv, torch.cat([x, self.mem], dim=-3))
        i, f, o, g = gates.chunk(4, dim=-3)
        self.syn = torch.sigmoid(f) * self.syn + torch.sigmoid(i) * torch.tanh(g)
        self.mem = torch.sigmoid(o) * torch.tanh(self.syn)

    def neuronal_fire(self) -> Tensor:
        """The spikes of the pooled potential."""
        pooled = self.mem
        if self.max_pool:
            pooled = F.max_pool2d(pooled, self.max_pool)
        elif self.avg_pool:
            pooled = F.avg_pool2d(pooled, self.avg_pool)
        return self.fire(pooled - self.threshold)

    def last_spike(self) -> Tensor | None:
        """What was above the threshold in the last step, before it was pooled."""
        if self.reset_mechanism == "none":
            return None
        with torch.no_grad():
            return super().neuronal_fire()

    def quantize_states(self) -> None:
        """Send both states through ``state_quant``."""
        super().quantize_states()
        if self.state_quant is not None:
            self.syn = self.state_quant(self.syn)

    def state_like(self, x: Tensor) -> Tensor:
        """A tensor like a state: the input with the output's channels."""
        channels = self.conv.out_channels // 4
        return x.new_empty(()).expand(*x.shape[:-3], channels, *x.shape[-2:])

    def check_output(self, output: Tensor, x: Tensor) -> None:
        """The output is pooled, so that its shape is its own."""

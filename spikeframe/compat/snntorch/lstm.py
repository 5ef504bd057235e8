"""snnTorch's spiking LSTM cells: SLSTM and SConv2dLSTM."""

from typing import Any, Unpack

from torch import Tensor

from ... import neuron
from .neurons import Ours, SpikingNeuron, arguments

__all__ = ["SLSTM", "SConv2dLSTM"]


class SLSTM(SpikingNeuron, neuron.SLSTM):
    """snnTorch's ``SLSTM``: see :class:`spikeframe.neuron.SLSTM`.

    With ``strict`` it forgets its states at every step unless both sizes are equal, as there.

    Example:
        >>> import torch
        >>> lstm = SLSTM(3, 4, threshold=0.1)
        >>> syn, mem = lstm.init_slstm()
        >>> spk, syn, mem = lstm(torch.ones(2, 3), syn, mem)
        >>> spk.shape, syn.shape, mem.shape
        (torch.Size([2, 4]), torch.Size([2, 4]), torch.Size([2, 4]))
    """

    returned = ("syn", "mem")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        threshold: Any = 1.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "none",
        state_quant: Any = False,
        output: bool = False,
        **ours: Unpack[Ours],
    ) -> None:
        super().__init__(**arguments(locals()))
        self.input_size, self.hidden_size = input_size, hidden_size

    def neuronal_charge(self, x: Tensor) -> None:
        """The gates."""
        if self.strict and self.input_size != self.hidden_size:
            self.mem, self.syn = self.mem * 0.0, self.syn * 0.0
        super().neuronal_charge(x)

    init_slstm = SpikingNeuron.init_states


class SConv2dLSTM(SpikingNeuron, neuron.SConv2dLSTM):
    """snnTorch's ``SConv2dLSTM``: see :class:`spikeframe.neuron.SConv2dLSTM`.

    Example:
        >>> import torch
        >>> lstm = SConv2dLSTM(1, 4, 3, max_pool=2, threshold=0.1, init_hidden=True)
        >>> lstm(torch.ones(2, 1, 6, 6)).shape
        torch.Size([2, 4, 3, 3])
    """

    returned = ("syn", "mem")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        bias: bool = True,
        max_pool: Any = 0,
        avg_pool: Any = 0,
        threshold: Any = 1.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "none",
        state_quant: Any = False,
        output: bool = False,
        **ours: Unpack[Ours],
    ) -> None:
        super().__init__(**arguments(locals()))

    init_sconv2dlstm = SpikingNeuron.init_states

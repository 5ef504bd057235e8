"""snnTorch's neurons with synaptic currents: Synaptic and Alpha."""

from typing import Any, Unpack

from ... import neuron
from .neurons import LIF, Ours, arguments, as_tensor

__all__ = ["Alpha", "Synaptic"]


class Synaptic(LIF, neuron.Synaptic):
    """snnTorch's ``Synaptic``: see :class:`spikeframe.neuron.Synaptic`.

    Example:
        >>> import torch
        >>> lif = Synaptic(alpha=0.9, beta=0.8)
        >>> syn, mem = lif.init_synaptic()
        >>> spk, syn, mem = lif(torch.tensor([0.5]), syn, mem)
        >>> spk, syn, mem
        (tensor([0.]), tensor([0.5000]), tensor([0.5000]))
        >>> [state.shape for state in lif.init_synaptic(2, 3)]
        [torch.Size([2, 3]), torch.Size([2, 3]), torch.Size([2, 3])]
    """

    returned = ("syn", "mem")

    def __init__(
        self,
        alpha: Any,
        beta: Any,
        threshold: Any = 1.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_alpha: bool | str = False,
        learn_beta: bool | str = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Any = False,
        output: bool = False,
        reset_delay: bool = True,
        **ours: Unpack[Ours],
    ) -> None:
        given = arguments(locals())
        super().__init__(**{**given, "alpha": as_tensor(alpha), "beta": as_tensor(beta)})

    init_synaptic = LIF.init_states
    init_stein = LIF.init_states


class Alpha(LIF, neuron.Alpha):
    """snnTorch's ``Alpha``: see :class:`spikeframe.neuron.Alpha`.

    Example:
        >>> import torch
        >>> lif = Alpha(alpha=0.9, beta=0.8, init_hidden=True, output=True)
        >>> spk, syn_exc, syn_inh, mem = lif(torch.tensor([0.85]))
        >>> syn_exc, syn_inh, mem
        (tensor([0.8500]), tensor([-0.8500]), tensor([0.]))
    """

    returned = ("syn_exc", "syn_inh", "mem")

    def __init__(
        self,
        alpha: Any,
        beta: Any,
        threshold: Any = 1.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_alpha: bool | str = False,
        learn_beta: bool | str = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "zero",
        state_quant: Any = False,
        output: bool = False,
        **ours: Unpack[Ours],
    ) -> None:
        given = arguments(locals())
        super().__init__(**{**given, "alpha": as_tensor(alpha), "beta": as_tensor(beta)})

    init_alpha = LIF.init_states
    init_srm0 = LIF.init_states

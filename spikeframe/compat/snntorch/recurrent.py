"""snnTorch's recurrent neurons: RLeaky and RSynaptic."""

from typing import Any, Unpack

from torch import Tensor

from ... import neuron
from .neurons import LIF, Ours, arguments, as_tensor

__all__ = ["RLeaky", "RSynaptic"]


class _Recurrent(LIF):
    """A neuron whose spikes are a state."""

    spk: Any

    def lagging_step(self, x: Tensor) -> Tensor:
        """A step, whose spikes are kept for the next."""
        self.spk = super().lagging_step(x)
        return self.spk


class RLeaky(_Recurrent, neuron.RLeaky):
    """snnTorch's ``RLeaky``: see :class:`spikeframe.neuron.RLeaky`.

    Example:
        >>> import torch
        >>> lif = RLeaky(beta=0.5, all_to_all=False, V=-1.0)
        >>> spk, mem = lif.init_rleaky()
        >>> spk, mem = lif(torch.tensor([1.5]), spk, mem)
        >>> [state.item() for state in lif(torch.tensor([1.5]), spk, mem)]
        [0.0, 0.25]
    """

    returned = ("spk", "mem")

    def __init__(
        self,
        beta: Any,
        V: Any = 1.0,
        all_to_all: bool = True,
        linear_features: int | None = None,
        conv2d_channels: int | None = None,
        kernel_size: Any = None,
        threshold: Any = 1.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool | str = False,
        learn_threshold: bool = False,
        learn_recurrent: bool = True,
        reset_mechanism: str = "subtract",
        state_quant: Any = False,
        output: bool = False,
        reset_delay: bool = True,
        *,
        learn_V: bool | None = None,
        **ours: Unpack[Ours],
    ) -> None:
        given = _recurrent(arguments(locals()))
        super().__init__(**{**given, "beta": as_tensor(beta)})

    init_rleaky = LIF.init_states


class RSynaptic(_Recurrent, neuron.RSynaptic):
    """snnTorch's ``RSynaptic``: see :class:`spikeframe.neuron.RSynaptic`.

    Example:
        >>> import torch
        >>> lif = RSynaptic(alpha=0.9, beta=0.8, linear_features=3, init_hidden=True)
        >>> lif(torch.zeros(2, 3)).shape
        torch.Size([2, 3])
    """

    returned = ("spk", "syn", "mem")

    def __init__(
        self,
        alpha: Any,
        beta: Any,
        V: Any = 1.0,
        all_to_all: bool = True,
        linear_features: int | None = None,
        conv2d_channels: int | None = None,
        kernel_size: Any = None,
        threshold: Any = 1.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_alpha: bool | str = False,
        learn_beta: bool | str = False,
        learn_threshold: bool = False,
        learn_recurrent: bool = True,
        reset_mechanism: str = "subtract",
        state_quant: Any = False,
        output: bool = False,
        reset_delay: bool = True,
        *,
        learn_V: bool | None = None,
        **ours: Unpack[Ours],
    ) -> None:
        given = _recurrent(arguments(locals()))
        super().__init__(**{**given, "alpha": as_tensor(alpha), "beta": as_tensor(beta)})

    init_rsynaptic = LIF.init_states


def _recurrent(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments with ``learn_V``, the name of ``learn_recurrent`` in old releases."""
    learn_V = given.pop("learn_V")
    if learn_V is not None:
        given["learn_recurrent"] = learn_V
    given["V"] = as_tensor(given["V"])
    return given

"""snnTorch's leaky neurons of one state: Leaky, DeltaLeaky and Lapicque."""

from typing import Any, Unpack

import torch
from torch import Tensor

from ... import neuron
from .neurons import LIF, Ours, arguments, as_tensor

__all__ = ["DeltaLeaky", "Lapicque", "Leaky", "LeakySurrogate"]


class Leaky(LIF, neuron.Leaky):
    """snnTorch's ``Leaky``: see :class:`spikeframe.neuron.Leaky`.

    Example:
        >>> lif = Leaky(beta=0.9)
        >>> mem = lif.init_leaky()
        >>> spk, mem = lif(torch.tensor([1.5]), mem)
        >>> spk, mem
        (tensor([1.]), tensor([1.5000]))
    """

    def __init__(
        self,
        beta: Any,
        threshold: Any = 1.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool | str = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Any = False,
        output: bool = False,
        graded_spikes_factor: Any = 1.0,
        learn_graded_spikes_factor: bool = False,
        reset_delay: bool = True,
        **ours: Unpack[Ours],
    ) -> None:
        super().__init__(**{**arguments(locals()), "beta": as_tensor(beta)})

    init_leaky = LIF.init_states


class LeakySurrogate(Leaky):
    """The neuron that the tutorials write out: it fires on the potential of the step before.

    Its spikes are a step later than those of a soft reset in the same step.

    Example:
        >>> lif = LeakySurrogate(beta=0.5)
        >>> spk, mem = lif(torch.tensor([1.5]), torch.zeros(1))
        >>> lif(torch.tensor([0.0]), mem)
        (tensor([1.]), tensor([0.2500]))
    """

    def single_step_forward(self, x: Tensor) -> Tensor:
        """Fire, and charge what the reset leaves."""
        spike = self.neuronal_fire()
        self.neuronal_reset(spike.detach())
        self.neuronal_charge(x)
        return self.grade(spike)


class DeltaLeaky(LIF, neuron.DeltaLeaky):
    """snnTorch's ``DeltaLeaky``, with the return contract of :class:`Leaky`.

    Example:
        >>> lif = DeltaLeaky(0.5, beta=1.0, init_hidden=True)
        >>> lif(torch.tensor([0.4, 0.6]))
        tensor([0., 1.])
    """

    def __init__(
        self,
        delta_threshold: Any = 1.0,
        beta: Any = None,
        threshold: Any = 1.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool | str = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "none",
        state_quant: Any = False,
        output: bool = False,
        graded_spikes_factor: Any = 1.0,
        learn_graded_spikes_factor: bool = False,
        reset_delay: bool = True,
        **ours: Unpack[Ours],
    ) -> None:
        if beta is None:
            raise TypeError("DeltaLeaky needs beta, the decay per step, got none")
        given = arguments(locals())
        # It fires at changes and is never reset: the threshold of Leaky does not come into it.
        for name in ("threshold", "reset_mechanism", "reset_delay"):
            del given[name]
        given.update(beta=as_tensor(beta), delta_threshold=as_tensor(delta_threshold))
        super().__init__(**given)

    init_leaky = LIF.init_states


class Lapicque(LIF, neuron.Lapicque):
    """snnTorch's ``Lapicque``: see :class:`spikeframe.neuron.Lapicque`.

    Given beta, that is the decay; with ``strict`` it is ``1 + ln(beta)``, as in snnTorch.

    Example:
        >>> lif = Lapicque(R=5, C=1e-3, time_step=1e-3)
        >>> spk, mem = lif(torch.tensor([0.5]), torch.zeros(1))
        >>> mem
        tensor([0.5000])
    """

    def __init__(
        self,
        beta: Any = False,
        R: Any = False,
        C: Any = False,
        time_step: Any = 1,
        threshold: Any = 1.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool | str = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Any = False,
        output: bool = False,
        **ours: Unpack[Ours],
    ) -> None:
        circuit = {"beta": beta, "R": R, "C": C}
        circuit = {k: None if v is False else as_tensor(v) for k, v in circuit.items()}
        if ours.get("strict") and circuit["beta"] is not None:
            circuit = _as_snntorch(as_tensor(time_step), **circuit)
        given = {**arguments(locals()), **circuit, "time_step": as_tensor(time_step)}
        del given["circuit"]
        super().__init__(**given)

    init_lapicque = LIF.init_states


def _as_snntorch(time_step: Any, beta: Any, R: Any, C: Any) -> dict[str, Any]:
    """R and C from the decay of the exact solution, though it is then integrated by Euler."""
    product = time_step / torch.log(1 / beta)
    if R is None:
        R = torch.ones(()) if C is None else product / C
    return {"beta": None, "R": R, "C": product / R if C is None else C}

"""snnTorch's neurons without reset, which take whole sequences: StateLeaky and its kin."""

from typing import Any, Unpack

import torch
from torch import Tensor

from ... import neuron
from .neurons import LIF, Ours, SpikingNeuron, arguments, as_tensor

__all__ = ["LeakyParallel", "LinearLeaky", "StateLeaky"]


class _WholeSequence(SpikingNeuron):
    """A neuron that begins anew with every sequence."""

    layered = True

    def forward(self, x: Tensor, *states: Any, **named: Any) -> Any:
        """The spikes of a sequence, from rest."""
        if self.step_mode == "m" and not (states or named):
            self.reset()
        return super().forward(x, *states, **named)


class _Stateful(_WholeSequence, LIF):
    """One that returns spikes and potentials, or potentials alone."""

    def answer(self, spikes: Tensor) -> Any:
        """Spikes and potentials if ``output``, else the potentials."""
        return (spikes, self._shown("mem")) if self.output else self._shown("mem")

    @property
    def kept_states(self) -> tuple[str, ...]:
        """The potentials of a sequence are kept, as they are returned."""
        return ("mem",) if self.step_mode == "m" else super().kept_states

    def grade(self, spike: Tensor) -> Tensor:
        """A spike times what it is worth; with ``strict`` twice, as in snnTorch."""
        graded = super().grade(spike)
        return super().grade(graded) if self.strict else graded


class StateLeaky(_Stateful, neuron.StateLeaky):
    """snnTorch's ``StateLeaky``: see :class:`spikeframe.neuron.StateLeaky`.

    It decays by beta; with ``strict`` by :math:`e^{-(1-\\beta)}`, as there.

    Example:
        >>> spk, mem = StateLeaky(beta=0.5, channels=1)(torch.tensor([[[1.5]], [[1.0]]]))
        >>> spk.flatten(), mem.flatten()
        (tensor([1., 1.]), tensor([1.5000, 1.7500]))
    """

    def __init__(
        self,
        beta: Any,
        channels: int,
        threshold: Any = 1.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        learn_beta: bool | str = False,
        learn_threshold: bool = False,
        state_quant: Any = False,
        output: bool = True,
        graded_spikes_factor: Any = 1.0,
        learn_graded_spikes_factor: bool = False,
        kernel_truncation_steps: int | None = None,
        **ours: Unpack[Ours],
    ) -> None:
        given = _sequences(arguments(locals()), channels)
        del given["channels"]
        super().__init__(**given)


class LinearLeaky(_Stateful, neuron.LinearLeaky):
    """snnTorch's ``LinearLeaky``: a linear map before :class:`StateLeaky`.

    Example:
        >>> spk, mem = LinearLeaky(0.9, 8, 4)(torch.ones(5, 2, 8))
        >>> spk.shape
        torch.Size([5, 2, 4])
    """

    def __init__(
        self,
        beta: Any,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        threshold: Any = 1.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        learn_beta: bool | str = False,
        learn_threshold: bool = False,
        state_quant: Any = False,
        output: bool = True,
        graded_spikes_factor: Any = 1.0,
        learn_graded_spikes_factor: bool = False,
        kernel_truncation_steps: int | None = None,
        **ours: Unpack[Ours],
    ) -> None:
        given = _sequences(arguments(locals()), out_features)
        del given["device"], given["dtype"]
        super().__init__(**given)
        self.linear.to(device=device, dtype=dtype)


class LeakyParallel(_WholeSequence, neuron.LeakyParallel):
    """snnTorch's ``LeakyParallel``, whose potential may be negative.

    With ``strict`` the potential stops at 0, as there.

    Example:
        >>> LeakyParallel(8, 4, beta=0.9)(torch.ones(5, 2, 8)).shape
        torch.Size([5, 2, 4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        beta: Any = None,
        bias: bool = True,
        threshold: Any = 1.0,
        dropout: float = 0.0,
        spike_grad: Any = None,
        surrogate_disable: bool = False,
        learn_beta: bool | str = False,
        learn_threshold: bool = False,
        graded_spikes_factor: Any = 1.0,
        learn_graded_spikes_factor: bool = False,
        weight_hh_enable: bool = False,
        device: Any = None,
        dtype: Any = None,
        **ours: Unpack[Ours],
    ) -> None:
        if weight_hh_enable:
            raise ValueError(
                "weight_hh_enable=True, by which every neuron hears every other, is not a leaky "
                "neuron: use RLeaky(beta, linear_features=hidden_size)"
            )
        given = arguments(locals())
        for name in ("dropout", "weight_hh_enable", "device", "dtype"):
            del given[name]
        given.setdefault("step_mode", "m")
        given.update(beta=as_tensor(beta), init_hidden=True, rectify=bool(ours.get("strict")))
        super().__init__(**given)
        self.dropout = torch.nn.Dropout(dropout)
        self.linear.to(device=device, dtype=dtype)

    def answer(self, spikes: Tensor) -> Any:
        """The spikes, some of them dropped (snnTorch's dropout has no effect)."""
        return self.dropout(spikes)


def _sequences(given: dict[str, Any], channels: int) -> dict[str, Any]:
    """The arguments of a neuron that takes sequences."""
    if given.pop("kernel_truncation_steps") is not None:
        raise ValueError(
            "kernel_truncation_steps makes a membrane forget what is that long ago, to save time "
            "in a convolution: there is none here, so leave it out"
        )
    beta = as_tensor(given["beta"])
    if isinstance(beta, Tensor) and beta.shape not in ((), (1,), (channels,)):
        raise ValueError(
            f"beta must be a number or one value for each of the {channels} channels, got shape "
            f"{list(beta.shape)}"
        )
    if given.get("strict") and isinstance(beta, Tensor):
        beta = torch.exp(beta - 1)
    given.setdefault("step_mode", "m")
    return {**given, "beta": beta}

"""State dicts of snnTorch's neurons, read and written: numbers are entries there."""

from typing import Any

import torch
from torch import Tensor, nn

from ... import neuron
from ...neuron.spiking_neuron import RESETS

__all__ = ["Checkpointed"]

_NUMBERS = ("threshold", "graded_spikes_factor", "alpha", "beta", "V", "R", "C", "time_step")
# What snnTorch keeps twice.
_COPIES = ("recurrent.V",)


class Checkpointed(neuron.SpikingNeuron):
    """Mixin by which a neuron keeps in its state dict what snnTorch's does."""

    @property
    def reset_mechanism_val(self) -> Tensor:
        """The number of the reset: 0 'subtract', 1 'zero', 2 'none'."""
        return torch.tensor(RESETS.index(self.reset_mechanism))

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if isinstance(self.graded_spikes_factor, float):
            factor = torch.tensor(self.graded_spikes_factor)
            destination[prefix + "graded_spikes_factor"] = factor
        destination[prefix + "reset_mechanism_val"] = self.reset_mechanism_val

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: Any, *args: Any
    ) -> None:
        reset = state_dict.pop(prefix + "reset_mechanism_val", None)
        if reset is not None:
            self.reset_mechanism = RESETS[int(reset)]
        for name in _COPIES:
            state_dict.pop(prefix + name, None)
        for name in _NUMBERS:
            if prefix + name in state_dict and not self._holds(name):
                self._take(name, state_dict.pop(prefix + name))
        super()._load_from_state_dict(state_dict, prefix, metadata, *args)

    def _holds(self, name: str) -> bool:
        """Whether torch's own loading finds a place for it."""
        return name in self._parameters or name in self._buffers

    def _take(self, name: str, value: Tensor) -> None:
        """A number of ours that is a tensor there; of one that is not used, nothing is taken."""
        if isinstance(self.__dict__.get(name), float) and not isinstance(value, nn.Parameter):
            setattr(self, name, float(value) if value.dim() == 0 else value.detach().clone())

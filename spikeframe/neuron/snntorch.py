"""Converts neurons, and nets of them, of snnTorch 1.0.0; it is read, never imported."""

import copy
from typing import Any

from torch import Tensor, nn

from .snntorch_nodes import MAKE, problems, warn_of_delay
from .spiking_neuron import SpikingNeuron

__all__ = ["from_snntorch"]

_SEQUENCES = ("StateLeaky", "LinearLeaky", "LeakyParallel")


def from_snntorch(module: nn.Module) -> nn.Module:
    """A neuron, or a net, of snnTorch as one of spikeframe that makes the same spikes.

    Every snnTorch neuron in the net becomes the neuron of that name, everything else a copy; the
    module given is left alone, and its parameters are not shared. The neurons begin at rest, with
    step_mode 's' (those that take whole sequences there with 'm'). They return their spikes, and
    keep their states as attributes: ``init_hidden`` and ``output``, which say what snnTorch's
    return, have no counterpart, so in a net whose neurons are to be called with their states
    (``init_hidden=False``) none is converted.

    Arguments:
        module: A live neuron or net of snnTorch 1.0.0. Of a surrogate gradient that spikeframe has
            too (atan, fast_sigmoid, sigmoid, straight_through_estimator) its own is taken, which
            is fused; another is kept, and runs eagerly.
    Raises:
        TypeError: It is no module, or a neuron of a subclass.
        ValueError: A setting has no counterpart; the text names neuron and setting.
    Warns:
        UserWarning: ``reset_delay=False`` with 'subtract': the spikes are equal unless a potential
            is above the threshold after its reset, where snnTorch subtracts a second time.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"from_snntorch takes a module, got {type(module).__name__}")
    copies = _Copies()
    for name, inner in module.named_modules():
        if _is_neuron(inner):
            copies.made[id(inner)] = _converted(inner, name, copies)
    # What is made already stands in for what it was made from wherever that is met.
    return copy.deepcopy(module, copies.made)


class _Copies:
    """What a conversion has made, by the identity of what it was made from."""

    def __init__(self) -> None:
        self.made: dict[int, Any] = {}

    def tensor(self, tensor: Tensor) -> Tensor:
        """A copy of a tensor or parameter; the same one for the same one."""
        if id(tensor) not in self.made:
            copied = tensor.detach().clone()
            if isinstance(tensor, nn.Parameter):
                copied = nn.Parameter(copied, tensor.requires_grad)
            self.made[id(tensor)] = copied
        found: Tensor = self.made[id(tensor)]
        return found


def _converted(module: Any, name: str, copies: _Copies) -> SpikingNeuron:
    kind = type(module).__name__
    where = f"{name} ({kind})" if name else kind
    if kind not in MAKE:
        raise ValueError(f"{where} has no counterpart")
    if name and getattr(module, "init_hidden", True) is False:
        raise ValueError(
            f"{where} has init_hidden=False: the net calls it with its states, which has no "
            "counterpart. Set init_hidden=True and call it with the input alone, or convert "
            "neuron by neuron"
        )
    found = list(problems(module, kind))
    if found:
        raise ValueError(f"{where} has no counterpart with {'; nor with '.join(found)}")
    warn_of_delay(module, where)
    try:
        node = MAKE[kind](module, copies)
    except ValueError as error:
        raise ValueError(f"{where} has no counterpart: {error}") from error
    node.step_mode = "m" if kind in _SEQUENCES else "s"
    return node.train(module.training)


def _is_neuron(module: nn.Module) -> bool:
    """Whether a module is one of snnTorch's neurons.

    Raises:
        TypeError: Its class is derived from one, so that nobody knows what it computes.
    """
    kinds = [cls for cls in type(module).__mro__ if cls.__module__.startswith("snntorch._neurons")]
    if not kinds or type(module).__name__ == "RecurrentOneToOne":
        return False
    if kinds[0] is not type(module):
        raise TypeError(
            f"{type(module).__name__} is a subclass of snnTorch's {kinds[0].__name__}, which may "
            f"compute anything: write one of spikeframe.neuron.{kinds[0].__name__}"
        )
    return True

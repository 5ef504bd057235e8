"""Chooses for a whole net whether its linear layers are event-driven."""

import warnings
from typing import Any

from torch import nn

__all__ = ["set_event_driven"]


def set_event_driven(net: nn.Module, event_driven: bool | None = True) -> None:
    """Set ``event_driven`` of every layer in ``net`` that has it (:class:`layer.Linear`).

    For a net that is run step by step (a stream): call it once, after the weights are loaded or
    put in their place. Parameters stay the objects that they are, so optimisers go on.

    Arguments:
        net: The net, or a single layer.
        event_driven: True also in single steps, with weights laid out input by input; None for
            large products only; False never.
    Raises:
        TypeError: ``net`` is not an nn.Module, or ``event_driven`` something else.
    Warns:
        UserWarning: No module in ``net`` has it.

    Example:
        >>> from spikeframe import layer, neuron
        >>> net = nn.Sequential(layer.Linear(2, 3), neuron.IFNode())
        >>> set_event_driven(net)
        >>> net[0]
        Linear(in_features=2, out_features=3, bias=True, step_mode=s, event_driven=True)
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, got {type(net).__name__}")
    modules: list[Any] = [module for module in net.modules() if hasattr(module, "event_driven")]
    for module in modules:
        module.event_driven = event_driven
    if not modules:
        warnings.warn(
            f"set_event_driven found no layer that can be: use layer.Linear in "
            f"{type(net).__name__}, or convert.to_layers(net)",
            stacklevel=2,
        )

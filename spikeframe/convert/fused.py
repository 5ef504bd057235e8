"""Makes one layer of each batch norm and the neuron behind it, and two of it again."""

import warnings
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .. import base
from ..functional.chain import links
from ..memory import NormNeuron
from ..memory.norm_neuron import why_not_pair

__all__ = ["fuse", "unfuse"]


def fuse(net: nn.Module) -> nn.Module:
    """Make a :class:`memory.NormNeuron` of each batch norm and the neuron behind it, in place.

    In training such a layer keeps the norm's input alone; nothing else changes. It stands in the
    norm's place, and an identity in the neuron's, so the keys of ``state_dict`` are longer by
    ``norm.`` and ``neuron.`` until :func:`unfuse`. Pairs are found by following the code with
    torch.fx; where it cannot be followed, in each module by itself.

    Arguments:
        net: The net; convert it first, if at all.

    Returns:
        The net.

    Raises:
        TypeError: ``net`` is not an nn.Module.
        ValueError: No neuron in it is called on the output of a batch norm.
    Warns:
        UserWarning: Some pairs stay as they are, with the reason.

    Example:
        >>> from spikeframe import layer, neuron
        >>> net = nn.Sequential(layer.Linear(4, 8), layer.BatchNorm1d(8), neuron.LIFNode())
        >>> type(fuse(net)[1]).__name__, type(unfuse(net)[1]).__name__
        ('NormNeuron', 'BatchNorm1d')
    """
    _check(net)
    left: list[str] = []
    found = any(isinstance(module, NormNeuron) for module in net.modules())
    for before, after, why_not in list(links(net)):
        norm, neuron = net.get_submodule(before), net.get_submodule(after)
        if not isinstance(norm, _BatchNorm) or not isinstance(neuron, base.MemoryModule):
            continue
        found = True
        reason = why_not or why_not_pair(norm, neuron)
        if reason is not None:
            left.append(f"{before} and {after}: {reason}")
            continue
        made = NormNeuron(norm, neuron)
        made.train(norm.training)
        net.set_submodule(before, made)
        net.set_submodule(after, _Moved(made))
    if not found:
        raise ValueError(
            f"{type(net).__name__} has no batch norm on whose output a neuron is called: a net in "
            "which something stands between them keeps them as they are"
        )
    if left:
        warnings.warn(f"fuse leaves these as they are ({'; '.join(left)})", stacklevel=2)
    return net


def unfuse(net: nn.Module) -> nn.Module:
    """Undo :func:`fuse`, in place; norms and neurons are the same objects, at their old names.

    Arguments:
        net: The net.

    Returns:
        The net.

    Raises:
        TypeError: ``net`` is not an nn.Module.
    """
    _check(net)
    names = {id(module): name for name, module in net.named_modules()}
    for name, module in list(net.named_modules()):
        if isinstance(module, _Moved) and id(module.made) in names:
            net.set_submodule(name, module.made.neuron)
            net.set_submodule(names[id(module.made)], module.made.norm)
    return net


class _Moved(nn.Identity):
    """Stands where a neuron was that is part of another module now."""

    def __init__(self, made: NormNeuron) -> None:
        super().__init__()
        # In a tuple: it has its place in the net already.
        self._made = (made,)

    @property
    def made(self) -> Any:
        """What it is part of."""
        return self._made[0]


def _check(net: Any) -> None:
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, got {type(net).__name__}")

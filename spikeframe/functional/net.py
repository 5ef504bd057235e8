"""Acts on every stateful module of a net: reset, detach, step mode, backend, what is saved."""

import warnings
from collections.abc import Callable
from typing import Any

from torch import nn

from .. import base, kernels
from ..base.step import inner_step_modules
from .plain import guard_plain_layers

__all__ = ["detach_net", "reset_net", "set_backend", "set_save", "set_step_mode"]


def reset_net(net: nn.Module) -> None:
    """Reset every module in ``net`` that has a ``reset()``: call it before each new sequence.

    Without it the next batch starts from the last one's state, and its backward runs into the
    last one's graph. The tree is walked at every call, so modules added later are reset too.

    Arguments:
        net: The net, or a single node.
    Raises:
        TypeError: ``net`` is not an nn.Module.
    Warns:
        UserWarning: A module that is not a MemoryModule is reset as well (as SpikingJelly does).

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> net = nn.Sequential(nn.Linear(2, 3), neuron.IFNode())
        >>> _ = net(torch.rand(4, 2))
        >>> net[1].v.shape
        torch.Size([4, 3])
        >>> reset_net(net)
        >>> net[1].v
        0.0
    """
    for module in _modules(net):
        if isinstance(module, base.MemoryModule):
            module.reset()
        elif callable(reset := getattr(module, "reset", None)):
            warnings.warn(
                f"reset_net also calls reset() of {type(module).__name__}, which is not a "
                "MemoryModule",
                stacklevel=2,
            )
            reset()


def detach_net(net: nn.Module) -> None:
    """Keep the states of ``net`` and drop their history: truncated backpropagation through time.

    Arguments:
        net: The net, or a single node.
    Raises:
        TypeError: ``net`` is not an nn.Module.
    """
    for module in _modules(net):
        if isinstance(module, base.MemoryModule):
            module.detach()


def set_step_mode(net: nn.Module, step_mode: str) -> None:
    """Set ``step_mode`` of every module in ``net``, all or none.

    Containers that choose their submodules' mode themselves are set, their contents are not.
    torch's own layers have no step mode. In 'm' they are watched: one that is handed a sequence
    it cannot take raises and names what to change (a net that folds time by hand around them is
    fine), until the mode is 's' again.

    Arguments:
        net: The net, or a single node.
        step_mode: 's' for one step [N, \\*] per call, 'm' for sequences [T, N, \\*].
    Raises:
        TypeError: ``net`` is not an nn.Module.
        ValueError: The mode is unknown, or a module does not support it (nothing is changed).

    Example:
        >>> from spikeframe import layer, neuron
        >>> net = nn.Sequential(layer.Linear(2, 3), neuron.IFNode())
        >>> set_step_mode(net, "m")
        >>> net[0].step_mode, net[1].step_mode
        ('m', 'm')
    """
    _modules(net)
    base.check_step_mode(step_mode)
    modules = inner_step_modules(net)
    for module in modules:
        if isinstance(module, base.StepModule):
            module.check_step_mode_supported(step_mode)
    for module in modules:
        module.step_mode = step_mode
    guard_plain_layers(net, on=step_mode == "m")


def set_backend(net: nn.Module, backend: str, instance: Any = None) -> None:
    """Set ``backend`` of every node in ``net`` that it can serve; warn once about the others.

    Arguments:
        net: The net, or a single node.
        backend: A name of ``kernels.NAMES``.
        instance: Only nodes of this class, or tuple of classes.
    Raises:
        TypeError: ``net`` is not an nn.Module, or ``instance`` not a class.
        ValueError: The name is unknown.
    Warns:
        UserWarning: Some nodes keep their backend, with the reason.

    Example:
        >>> from spikeframe import neuron
        >>> node = neuron.IFNode()
        >>> set_backend(node, "eager")
        >>> node.backend
        'eager'
    """
    kernels.check_name(backend)

    def why_not(node: Any) -> str | None:
        return kernels.why_not(node, backend, _device(node))

    _set(net, "backend", backend, instance, why_not)


def set_save(net: nn.Module, save: str, instance: Any = None) -> None:
    """Set ``save`` of every node in ``net`` that its backend can serve; warn about the others.

    Arguments:
        net: The net, or a single node.
        save: 'auto' keeps for the backward the few values that it needs; 'input' nothing but the
            input and the states at every 32nd step, as the backward runs the forward again.
        instance: Only nodes of this class, or tuple of classes.
    Raises:
        TypeError: ``net`` is not an nn.Module, or ``instance`` not a class.
        ValueError: ``save`` is neither.
    Warns:
        UserWarning: Some nodes run by their own lines and keep ``save``, with the reason.

    Example:
        >>> from spikeframe import neuron
        >>> node = neuron.IFNode()
        >>> set_save(node, "input")
        >>> node.save
        'input'
    """
    kernels.check_save(save)

    def why_not(node: Any) -> str | None:
        return None if save == "auto" else _why_lines(node)

    _set(net, "save", save, instance, why_not)


def _set(
    net: nn.Module, name: str, value: str, instance: Any, why_not: Callable[[Any], str | None]
) -> None:
    """Set an attribute of the nodes that nothing keeps from it; warn once about the others."""
    if instance is not None and not isinstance(instance, type | tuple):
        raise TypeError(f"instance must be a class or a tuple of classes, got {instance!r}")
    kept: dict[str, list[str]] = {}
    _modules(net)
    for path, module in net.named_modules():
        if not hasattr(module, "supported_backends"):
            continue
        if instance is not None and not isinstance(module, instance):
            continue
        reason = why_not(module)
        if reason is None:
            setattr(module, name, value)
        else:
            kept.setdefault(reason, []).append(path or type(module).__name__)
    if kept:
        reasons = "; ".join(f"{', '.join(paths)}: {reason}" for reason, paths in kept.items())
        warnings.warn(
            f"set_{name}({value!r}) leaves these nodes as they are ({reasons})", stacklevel=3
        )


def _why_lines(node: Any) -> str | None:
    """Why a node runs by its own lines, of which autograd saves every step, or None."""
    reason = kernels.why_not(node, node.backend, _device(node))
    if reason is not None:
        return reason
    if kernels.choose(node, node.backend, _device(node)).name != "eager":
        return None
    return kernels.why_not(node, "torch", _device(node)) or "its backend is 'eager'"


def _modules(net: nn.Module) -> list[nn.Module]:
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, got {type(net).__name__}")
    return list(net.modules())


def _device(module: nn.Module) -> Any:
    tensors = [*module.parameters(), *module.buffers()]
    return tensors[0].device if tensors else "cpu"

"""The states of a net as data: taken out, put back, kept in files and state dicts."""

import json
from collections.abc import Mapping
from os import PathLike, fspath
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from .. import base
from ..base.memory import detached
from ..base.state_dict import with_states

__all__ = ["get_states", "load_states", "save_states", "set_states", "state_dict"]

# What a file of tensors keeps beside them, as text.
_PLAIN = (bool, int, float, str, type(None))


def get_states(net: nn.Module) -> dict[str, Any]:
    """The states of all memories in ``net``, by name, without their history.

    A memory at its reset value has none. Tensors are those of the net, not copies: a step makes
    new ones and does not change them.

    Arguments:
        net: The net, or a single node.

    Example:
        >>> from spikeframe import neuron
        >>> net = nn.Sequential(nn.Identity(), neuron.IFNode())
        >>> _ = net(torch.tensor([0.4]))
        >>> get_states(net)
        {'1.v': tensor([0.4000])}
    """
    states = {}
    for name, (owner, key) in _places(net).items():
        kept = dict(owner.kept_memories())
        if key in kept:
            states[name] = detached(kept[key])
    return states


def set_states(net: nn.Module, states: Mapping[str, Any]) -> None:
    """Put states into ``net``; a memory that is not named goes back to its reset value.

    Arguments:
        net: The net, or a single node.
        states: As :func:`get_states` returned them.
    Raises:
        ValueError: A name is that of no memory (nothing is changed).

    Example:
        >>> from spikeframe import neuron
        >>> node = neuron.IFNode()
        >>> set_states(node, {"v": torch.tensor([0.5])})
        >>> node(torch.tensor([0.5]))
        tensor([1.])
    """
    places = _places(net)
    unknown = [name for name in states if name not in places]
    if unknown:
        raise ValueError(
            f"{type(net).__name__} has no memory {', '.join(map(repr, unknown))}: it has "
            f"{', '.join(map(repr, places)) or 'none'}"
        )
    for name, (owner, key) in places.items():
        owner.load_memory(key, states.get(name, owner.get_reset_value(key)))


def save_states(net: nn.Module, path: str | PathLike[str]) -> None:
    """Write the states of ``net`` to a file.

    Arguments:
        net: The net, or a single node.
        path: Where; a name that ends in .safetensors makes a file of that format (the package
            safetensors must be installed), any other one a file of ``torch.save``.
    Raises:
        ImportError: safetensors is not installed.
        TypeError: The format cannot keep a state (a list, for example), which is named.
    """
    states = get_states(net)
    if not fspath(path).endswith(".safetensors"):
        torch.save(states, path)
        return
    tensors = {name: value for name, value in states.items() if isinstance(value, Tensor)}
    others = {name: value for name, value in states.items() if name not in tensors}
    for name, value in others.items():
        if not isinstance(value, _PLAIN):
            raise TypeError(
                f"safetensors keeps tensors, numbers and text, but the state {name!r} is a "
                f"{type(value).__name__}: choose another ending for a file of torch.save"
            )
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    _safetensors().save_file(contiguous, path, {"states": json.dumps(others)})


def load_states(net: nn.Module, path: str | PathLike[str]) -> None:
    """Put the states that :func:`save_states` wrote into ``net``, on the net's device.

    A memory that the file does not name goes back to its reset value. Without parameters and
    buffers a net is taken to be on the CPU; ``net.to(device)`` moves its states.

    Arguments:
        net: The net, or a single node.
        path: The file.
    Raises:
        ImportError: It is a .safetensors file, and safetensors is not installed.
        ValueError: It names a memory that the net does not have (nothing is changed).
    """
    tensors = [*net.parameters(), *net.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    if not fspath(path).endswith(".safetensors"):
        states = torch.load(path, map_location=device, weights_only=True)
    else:
        with _safetensors().safe_open(path, framework="pt", device=str(device)) as file:
            states = json.loads((file.metadata() or {}).get("states", "{}"))
            states |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    set_states(net, states)


def state_dict(net: nn.Module, include_state: bool = True) -> dict[str, Any]:
    """``net.state_dict()`` with the states in it, by name, for ``net.load_state_dict()``.

    Loading it puts every memory where it was, those without a state at their reset value.

    Arguments:
        net: The net.
        include_state: With states; False gives torch's own.

    Example:
        >>> from spikeframe import neuron
        >>> node = neuron.IFNode()
        >>> _ = node(torch.tensor([0.4]))
        >>> dict(node.state_dict()), dict(state_dict(node))
        ({}, {'v': tensor([0.4000])})
    """
    if not include_state:
        return net.state_dict()
    with with_states():
        return net.state_dict()


def _places(net: nn.Module) -> dict[str, tuple[base.MemoryModule, str]]:
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, got {type(net).__name__}")
    return {
        f"{path}.{key}" if path else key: (owner, key)
        for path, owner in net.named_modules()
        if isinstance(owner, base.MemoryModule)
        for key, _ in owner.named_memories()
    }


def _safetensors() -> Any:
    try:
        from safetensors import safe_open
        from safetensors import torch as of_torch
    except ImportError as error:
        raise ImportError(
            f"a .safetensors file needs the package safetensors, which does not import ({error}):"
            " pip install 'spikeframe[state]', or choose another ending"
        ) from error
    return SimpleNamespace(safe_open=safe_open, save_file=of_torch.save_file)

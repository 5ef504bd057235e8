"""Runs a net as often as one likes and leaves it as it was found."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

__all__ = ["rest", "spared"]

Stores = dict[str, dict[Any, Any]]


def rest(net: nn.Module) -> None:
    """Put everything in a net that has a ``reset()`` to rest."""
    for module in _stateful(net):
        module.reset()


@contextlib.contextmanager
def spared(net: nn.Module) -> Iterator[None]:
    """Put states, buffers, generators and random numbers back to what they were before.

    A state is whatever a module with a ``reset()`` has as attributes, or in dictionaries there.
    """
    kept = [(module, *_split(module)) for module in _stateful(net)]
    buffers = [(module, dict(module._buffers)) for module in net.modules()]
    drawn = [(x, x.get_state()) for m in net.modules() for x in vars(m).values() if _draws(x)]
    devices = {p.device.index or 0 for p in net.parameters() if p.device.type == "cuda"}
    copies = {id(buffer): buffer.detach().clone() for buffer in net.buffers()}
    try:
        for module, own in buffers:
            # What a graph has saved must not be written to.
            module._buffers.update({k: copies.get(id(x), x) for k, x in own.items()})
        with torch.random.fork_rng(sorted(devices)):
            yield
    finally:
        for module, stores, plain in kept:
            _put_back(module, stores, plain)
        for module, own in buffers:
            module._buffers.update(own)
        for generator, state in drawn:
            generator.set_state(state)


def _stateful(net: nn.Module) -> list[Any]:
    return [module for module in net.modules() if callable(getattr(module, "reset", None))]


def _split(module: nn.Module) -> tuple[Stores, dict[str, Any]]:
    """Copies of the dictionaries among a module's attributes, and the other attributes."""
    own = vars(module)
    stores = {name: dict(value) for name, value in own.items() if type(value) is dict}
    return stores, {name: value for name, value in own.items() if name not in stores}


def _put_back(module: nn.Module, stores: Stores, plain: dict[str, Any]) -> None:
    own = vars(module)
    for name in [name for name in own if name not in stores and name not in plain]:
        del own[name]
    own.update(plain)
    for name, values in stores.items():
        # Others may hold the dictionary itself.
        own[name].clear()
        own[name].update(values)


def _draws(value: Any) -> bool:
    return isinstance(value, torch.Generator)

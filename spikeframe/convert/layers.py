"""Turns torch's layers into spikeframe's in place, and back: the same objects, the same keys."""

import copyreg
import functools
from typing import Any

from torch import nn

from .. import functional, layer
from ..base import StepModule, check_step_mode
from ..functional.folding import folded_forward
from ..layer.multi_step import check_inner_modules

__all__ = ["to_layers", "to_torch"]

# torch's class and ours, where ours adds step modes and nothing else.
_OURS: dict[type[nn.Module], type[nn.Module]] = {
    getattr(nn, name): getattr(layer, name)
    for name in layer.__all__
    if hasattr(nn, name) and issubclass(getattr(layer, name), getattr(nn, name))
}
_TORCHS = {ours: torchs for torchs, ours in _OURS.items()}

# Ours keep one mask for all steps, so they are other modules with the same argument.
_DROPOUTS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Dropout: layer.Dropout,
    nn.Dropout2d: layer.Dropout2d,
}

# These treat a sequence as they treat a step.
_ANY_SHAPE = {
    *(nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU),
    *(nn.Mish, nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.Tanhshrink, nn.Softplus, nn.Softsign),
    *(nn.Softshrink, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.Threshold),
    *(nn.RReLU, nn.AlphaDropout, nn.LayerNorm, nn.RMSNorm, nn.Embedding),
}


def to_layers(net: nn.Module, step_mode: str = "s") -> nn.Module:
    r"""Give a net of plain torch layers its step modes, in place.

    Layers that spikeframe has (convolutions, norms, pools, Linear, Flatten, Dropout) become
    spikeframe's: the same objects, of another class, with the same parameters, hooks and keys of
    ``state_dict``. A module with code of its own, such as a residual net's, was written for one
    step: it folds time into the batch, as :class:`layer.MultiStep` does, and what is in it keeps
    step_mode 's'. Neurons and other modules of spikeframe stay as they are.

    Code that handles time itself (a mean over steps) must not be converted; convert its parts.

    Arguments:
        net: The net.
        step_mode: The step mode of all of it, as by ``functional.set_step_mode``.

    Returns:
        The net.

    Raises:
        TypeError: ``net`` is not an nn.Module.
        ValueError: The step mode is unknown; or a lazy layer does not know its sizes yet.

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), neuron.IFNode(), nn.Flatten())
        >>> to_layers(net, "m")(torch.zeros(5, 1, 1, 8, 8)).shape
        torch.Size([5, 1, 72])
        >>> type(net[0]) is layer.Conv2d, type(to_torch(net)[0]) is nn.Conv2d
        (True, True)
    """
    check_step_mode(step_mode)
    _check(net)
    for name, module in net.named_modules():
        if any(map(nn.parameter.is_lazy, (*module.parameters(False), *module.buffers(False)))):
            raise ValueError(
                f"{type(module).__name__} {name!r} does not know its sizes yet: run the net on "
                "one step before you convert it"
            )
    _convert(net, folded=False)
    functional.set_step_mode(net, step_mode)
    return net


def to_torch(net: nn.Module) -> nn.Module:
    """Turn spikeframe's layers that are torch's into torch's own again, in place.

    What :func:`to_layers` did is undone, and layers that were spikeframe's from the start become
    torch's, too. Neurons, and layers that torch does not have, stay as they are.

    Arguments:
        net: The net.

    Returns:
        The net.

    Raises:
        TypeError: ``net`` is not an nn.Module.
    """
    _check(net)
    for module in net.modules():
        kind = type(module)
        if issubclass(kind, _Folding):
            _become(module, kind.torchs)
        elif kind in _TORCHS:
            _become(module, _TORCHS[kind])
        elif kind in _DROPOUTS.values():
            _restore_dropout(module)
    return net


class _Folding(StepModule):
    """Mixin of a module with code for one step, which then takes sequences, too."""

    keeps_inner_step_mode = True
    torchs: type[nn.Module]

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The module's own forward, on one step or on all steps at once."""
        run = super().forward  # type: ignore[misc]
        if self.step_mode == "m":
            return folded_forward(self, run, *inputs, **kwargs)  # type: ignore[arg-type]
        check_inner_modules(self)  # type: ignore[arg-type]
        return run(*inputs, **kwargs)

    def __reduce_ex__(self, protocol: Any) -> Any:
        # The class was made here, so pickle finds it only through the one it was made of.
        reduced: Any = super().__reduce_ex__(protocol)
        made, arguments, *rest = reduced
        if made is copyreg.__newobj__ and arguments[0] is type(self):  # type: ignore[attr-defined]
            return _new, (self.torchs, *arguments[1:]), *rest
        return reduced


@functools.cache
def _folding(torchs: Any) -> type[nn.Module]:
    names = {"torchs": torchs, "__module__": torchs.__module__, "__doc__": torchs.__doc__}
    return type(torchs.__name__, (_Folding, torchs), names)


def _new(torchs: Any, *arguments: Any) -> nn.Module:
    kind = _folding(torchs)
    return kind.__new__(kind, *arguments)


def _convert(module: nn.Module, folded: bool) -> None:
    kind: Any = type(module)
    if kind in _OURS:
        _become(module, _OURS[kind])
    elif kind in _DROPOUTS:
        _become_dropout(module)
    elif isinstance(module, StepModule) or kind in _ANY_SHAPE:
        return
    else:
        if not folded and not _is_container(kind):
            _become(module, _folding(kind))
            folded = True
        for child in module.children():
            _convert(child, folded)


def _is_container(kind: type[nn.Module]) -> bool:
    """Whether modules of a class run others one after the other, and have no code of their own."""
    return kind.forward in (nn.Sequential.forward, nn.Module.forward)


def _become(module: nn.Module, kind: type[nn.Module]) -> None:
    module.__class__ = kind
    if not issubclass(kind, StepModule):
        module.__dict__.pop("_step_mode", None)


def _become_dropout(module: Any) -> None:
    made = _DROPOUTS[type(module)](module.p)
    module.__class__ = type(made)
    module.__dict__ |= {k: v for k, v in made.__dict__.items() if k not in module.__dict__}


def _restore_dropout(module: Any) -> None:
    torchs = next(torchs for torchs, ours in _DROPOUTS.items() if ours is type(module))
    made = torchs(module.p)
    for name in [name for name in type(module)(0.5).__dict__ if name not in made.__dict__]:
        module.__dict__.pop(name, None)
    module.__class__ = torchs
    module.__dict__ |= {k: v for k, v in made.__dict__.items() if k not in module.__dict__}


def _check(net: Any) -> None:
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, got {type(net).__name__}")

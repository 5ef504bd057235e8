"""Says what to change where torch's own layers, made for one step, are handed a sequence.

Nothing is said of a net that folds time by hand around them: only a call that torch is about to
refuse, or that a Sequential is sure to get wrong, raises.
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import batchnorm, conv, pooling

from .. import base, kernels
from ..base.entry import current_fold
from ..base.location import Location

__all__ = ["guard_plain_layers"]

# Ranks of what the layers take, in the order of their names: 1d, 2d, 3d.
_RANKS: dict[type[nn.Module], tuple[int, ...]] = {
    **dict.fromkeys((conv.Conv1d, conv.ConvTranspose1d), (2, 3)),
    **dict.fromkeys((conv.Conv2d, conv.ConvTranspose2d), (3, 4)),
    **dict.fromkeys((conv.Conv3d, conv.ConvTranspose3d), (4, 5)),
    batchnorm.BatchNorm1d: (2, 3),
    batchnorm.BatchNorm2d: (4,),
    batchnorm.BatchNorm3d: (5,),
    **dict.fromkeys((pooling.MaxPool1d, pooling.AvgPool1d, pooling.AdaptiveAvgPool1d), (2, 3)),
    **dict.fromkeys((pooling.MaxPool2d, pooling.AvgPool2d, pooling.AdaptiveAvgPool2d), (3, 4)),
    **dict.fromkeys((pooling.MaxPool3d, pooling.AvgPool3d, pooling.AdaptiveAvgPool3d), (4, 5)),
    pooling.AdaptiveMaxPool1d: (2, 3),
    pooling.AdaptiveMaxPool2d: (3, 4),
    pooling.AdaptiveMaxPool3d: (4, 5),
}

# What a sequence passes through as one step does.
_TRANSPARENT = (nn.Linear, nn.Dropout, nn.LayerNorm, nn.Identity, nn.ReLU, nn.GELU, nn.SiLU)

_CURE = (
    "Call convert.to_layers(net), which makes them spikeframe's layers in place, or fold time "
    "into the batch for the whole net: net = layer.MultiStep(net)"
)


def guard_plain_layers(net: nn.Module, on: bool) -> None:
    """Watch the plain torch layers of ``net`` for sequences, or let go of them.

    Arguments:
        net: The net; what is inside containers that choose their modules' mode is left alone.
        on: Whether to watch.
    """
    for module in _reached(net):
        check = _check_of(module)
        if check is None:
            continue
        hooks = module._forward_pre_hooks
        watched = [key for key, hook in hooks.items() if hook is check]
        if on and not watched:
            module.register_forward_pre_hook(check)
        for key in watched if not on else ():
            del hooks[key]


def _reached(module: nn.Module) -> Iterator[nn.Module]:
    yield module
    if not getattr(module, "keeps_inner_step_mode", False):
        for child in module.children():
            yield from _reached(child)


def _check_of(module: nn.Module) -> Any:
    if isinstance(module, base.StepModule):
        return None
    if type(module) is nn.Sequential:
        return _check_chain
    if type(module) is nn.Linear:
        return _check_features
    return _check_rank if type(module) in _RANKS else None


@kernels.only_checks
def _check_rank(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    ranks = _RANKS[type(module)]
    x = inputs[0] if inputs else None
    if not isinstance(x, Tensor) or x.dim() in ranks:
        return
    raise ValueError(
        f"{Location(module)} is torch's own and takes one step, of {' or '.join(map(str, ranks))} "
        f"dimensions, got {list(x.shape)}. {_CURE}"
    )


@kernels.only_checks
def _check_features(module: Any, inputs: tuple[Any, ...]) -> None:
    x = inputs[0] if inputs else None
    if not isinstance(x, Tensor) or x.dim() == 0 or x.shape[-1] == module.in_features:
        return
    raise ValueError(
        f"{Location(module)} takes {module.in_features} features, got {list(x.shape)}: where a "
        "sequence was flattened as if it were one step (torch.flatten(x, 1)), write x.flatten(2) "
        "or layer.Flatten(), or fold the whole net: net = layer.MultiStep(net)"
    )


def _check_chain(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    """Refuse a chain in which a layer for one step meets a module that takes sequences."""
    if current_fold() is not None:
        return
    for links in _chains(module):
        plain = [f"{name} ({type(link).__name__})" for name, link in links if _is_plain(link)]
        if plain and any(_takes_sequences(link) for _, link in links):
            raise ValueError(
                f"{Location(module)} hands sequences [T, N, *] from module to module, but these "
                f"in it are torch's own and take one step [N, *]: {', '.join(plain)}. {_CURE}"
            )


def _chains(module: nn.Module) -> list[list[tuple[str, nn.Module]]]:
    """Runs of modules of which it is known that each hands on what it gets."""
    chains: list[list[tuple[str, nn.Module]]] = [[]]
    for name, link in module.named_children():
        known = isinstance(link, base.StepModule) or _is_plain(link)
        if known or type(link) in _TRANSPARENT:
            chains[-1].append((name, link))
        else:
            chains.append([])
    return chains


def _is_plain(module: nn.Module) -> bool:
    return type(module) in _RANKS or (type(module) is nn.Flatten and module.start_dim == 1)


def _takes_sequences(module: nn.Module) -> bool:
    return isinstance(module, base.StepModule) and module.step_mode == "m"

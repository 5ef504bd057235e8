"""Folds batch norms into the convolutions before them, for inference."""

import copy
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .chain import links

__all__ = ["fuse_conv_bn_eval_modules"]

# Whose forward a module may have: what others compute, a folded weight may not be.
_KNOWN = {"torch.nn.modules.batchnorm", "torch.nn.modules.conv", "spikeframe.layer.wrapper"}


def fuse_conv_bn_eval_modules(net: nn.Module) -> nn.Module:
    r"""A copy of ``net`` whose batch norms are part of the convolutions before them.

    .. math::
        W' = \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}} W, \quad
        b' = \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}} (b - \mu) + \beta

    Pairs are found by following the code with torch.fx; where it cannot be followed, in each
    module by itself. A norm is folded if nothing else sees the convolution's output, and both are
    called once; an ``nn.Identity`` takes its place. Outputs are equal up to rounding, which can
    flip a spike.

    Arguments:
        net: The net, in eval mode.

    Returns:
        The copy.

    Raises:
        TypeError: ``net`` is not an nn.Module.
        ValueError: A batch norm is in training mode.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
        >>> fuse_conv_bn_eval_modules(net)[1]
        Identity()
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, got {type(net).__name__}")
    for name, module in net.named_modules():
        if isinstance(module, _BatchNorm) and module.training:
            raise ValueError(
                f"{type(module).__name__} {name!r} is in training mode, where its statistics are "
                "those of each batch: call net.eval() first"
            )
    fused = copy.deepcopy(net)
    _fuse(fused)
    return fused


def _fuse(net: nn.Module) -> None:
    for before, after, why_not in list(links(net)):
        conv: Any = net.get_submodule(before)
        norm: Any = net.get_submodule(after)
        if why_not is None and _fits(conv, norm):
            transposed = isinstance(conv, _ConvTransposeNd)
            fused = fuse_conv_bn_eval(conv, norm, transposed)
            net.set_submodule(before, fused)
            net.set_submodule(after, nn.Identity())


def _fits(conv: nn.Module, norm: nn.Module) -> bool:
    if not isinstance(conv, _ConvNd) or not isinstance(norm, _BatchNorm):
        return False
    if norm.running_mean is None or type(conv).__name__[-2:] != type(norm).__name__[-2:]:
        return False
    return _is_known(conv) and _is_known(norm)


def _is_known(module: nn.Module) -> bool:
    """Whether a module computes what torch's does, from a weight that is a parameter."""
    kinds = [kind for kind in type(module).__mro__ if kind is not nn.Module]
    methods = {"forward", "_conv_forward"}
    homes = {kind.__module__ for kind in kinds if methods & vars(kind).keys()}
    return homes <= _KNOWN and "weight" in module._parameters

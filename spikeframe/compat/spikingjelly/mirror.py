"""Modules of spikeframe under other packages' names, for ``from package.module import Name``."""

import sys
from types import ModuleType

__all__ = ["mirror"]


def mirror(package: str, **modules: ModuleType) -> None:
    """Let imports find modules in a package, by these names, that lie elsewhere.

    Arguments:
        package: The package's full name.
        modules: Each by its name there.

    Example:
        >>> from spikeframe import layer
        >>> import spikeframe.compat.spikingjelly.activation_based.layer as mirrored
        >>> mirrored is layer
        True
    """
    for name, module in modules.items():
        sys.modules[f"{package}.{name}"] = module

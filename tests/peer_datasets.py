"""Other frameworks' event readers, imported without what they need for other data sets.

SpikingJelly's package of data sets imports torchvision and torchaudio for any of them; for the
functions compared here a stand-in will do.
"""

import importlib
import sys
import types
import warnings

import pytest

__all__ = ["spikingjelly_datasets", "tonic"]

ABSENT = tuple(
    f"torchvision{part}" for part in ("", ".datasets", ".datasets.utils", ".transforms")
)
PACKAGE = "spikingjelly.datasets"


class _StandIn(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def spikingjelly_datasets(name):
    """The module `name` of SpikingJelly's package of data sets."""
    package = _import("spikingjelly")
    before = {key: sys.modules.get(key) for key in (*ABSENT, PACKAGE)}
    for key in ABSENT:
        sys.modules[key] = _StandIn(key)
    # The package without what its __init__ imports.
    sys.modules[PACKAGE] = types.ModuleType(PACKAGE)
    sys.modules[PACKAGE].__path__ = [f"{package.__path__[0]}/datasets"]
    try:
        return _import(f"spikingjelly.datasets.{name}")
    finally:
        for key, module in before.items():
            sys.modules.pop(key)
            if module is not None:
                sys.modules[key] = module


def tonic(name="tonic"):
    """A module of tonic, which is compared with where it is installed and used nowhere else."""
    return _import(name)


def _import(name):
    # Peers warn while they import, which would be an error here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as missing:
            pytest.skip(f"{name} is not installed ({missing})")

import importlib

import pytest
from spikeframe.compat.spikingjelly.activation_based.layer import Conv2d, SeqToANNContainer
from spikeframe.compat.spikingjelly.clock_driven.encoding import PoissonEncoder
from spikeframe.compat.spikingjelly.clock_driven.surrogate import ATan

import spikeframe
from spikeframe import encoding, layer, surrogate
from spikeframe.compat.spikingjelly import activation_based, clock_driven


def test_names_are_imported_from_mirrored_modules():
    assert Conv2d is layer.Conv2d
    assert SeqToANNContainer is layer.SeqToANNContainer
    assert PoissonEncoder is encoding.PoissonEncoder
    assert ATan is surrogate.ATan


@pytest.mark.parametrize("package", [activation_based, clock_driven])
def test_every_module_is_found_by_attribute_and_by_import(package):
    for name in package.__all__:
        module = importlib.import_module(f"{package.__name__}.{name}")
        assert module is getattr(package, name)


def test_mirrored_modules_keep_their_own_names():
    assert layer.__name__ == "spikeframe.layer"
    assert spikeframe.layer is layer
    with pytest.raises(ImportError):
        importlib.import_module("spikeframe.compat.spikingjelly.activation_based.learning")

"""The old data sets say where to go."""

import pytest

import spikeframe.compat.snntorch as snn
from spikeframe import data
from spikeframe.compat.snntorch import spikevision


def test_old_modules_say_where_to_go():
    with pytest.raises(ImportError, match=r"use spikeframe.data.load_n_mnist \(or tonic.datasets"):
        snn.spikevision.NMNIST  # noqa: B018
    with pytest.raises(ImportError, match="spikeframe.data.load_events"):
        from spikeframe.compat.snntorch.spikevision import spikedata  # noqa: F401


@pytest.mark.parametrize("name", ["NMNIST", "DVSGesture", "SHD", "spikedata", "_transforms"])
def test_what_is_named_instead_is_there(name):
    with pytest.raises(ImportError, match=f"spikevision.{name} is no more") as error:
        getattr(spikevision, name)
    instead = str(error.value).partition("spikeframe.data.")[2].split()[0]
    assert callable(getattr(data, instead))


def test_other_names_were_never_there():
    with pytest.raises(AttributeError, match="spikevision' has no attribute 'MNIST'"):
        spikevision.MNIST  # noqa: B018

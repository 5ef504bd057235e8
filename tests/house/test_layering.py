"""The arrows of the design hold, and the reader that says so sees planted violations."""

import pytest
from house.rules import library_faults, public_faults
from house.sources import library, outside


def test_library_keeps_every_rule():
    assert library_faults(library()) == []


def test_outside_uses_public_names_only():
    assert public_faults(outside(), library()) == []


def test_the_reader_meets_every_room():
    names = {name.split(".")[1] for name in library() if name.count(".") > 1}
    assert {"base", "kernels", "layer", "neuron"} <= names


CLEAN = {
    "spikeframe.__init__": "from spikeframe import neuron",
    "spikeframe.kernels.__init__": "from .eager import run\nimport torch, math",
    "spikeframe.kernels.eager": "def run(): import cupy",
    "spikeframe.base.__init__": "from spikeframe.kernels import run",
    "spikeframe.neuron.__init__": "from .lif import LIFNode as LIFNode",
    "spikeframe.neuron.lif": "from spikeframe.base import MemoryModule\nfrom .. import kernels",
    "spikeframe.cli.main": "from spikeframe import __version__, data\ndef f(): import tqdm",
    "spikeframe.data.__init__": "",
    "spikeframe.__main__": "from .cli.main import main",
}


def test_clean_sources_pass():
    assert library_faults(CLEAN) == []


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("kernels.bad", "from spikeframe.base import X", "kernels must not import base"),
        ("kernels.bad", "from .. import surrogate", "kernels must not import surrogate"),
        ("kernels.bad", "from spikeframe import __version__", "kernels must not import"),
        ("kernels.bad", "def f(): from ..neuron import IFNode", "must not import neuron"),
        ("base.bad", "import spikeframe.neuron", "base must not import neuron"),
        ("surrogate.bad", "from spikeframe import layer", "surrogate must not import layer"),
        ("layer.bad", "from spikeframe.neuron.lif import LIFNode", "layer must not import neuron"),
        ("layer.bad", "import spikeframe\nspikeframe.neuron", "hides which room is meant"),
        ("neuron.bad", "from ..layer import Linear", "neuron must not import layer"),
        ("functional.bad", "from spikeframe import neuron", "functional must not import neuron"),
        ("functional.bad", "from spikeframe import layer", "functional must not import layer"),
        ("encoding.bad", "from spikeframe import neuron", "encoding must not import neuron"),
        ("monitor", "from .layer import Linear", "monitor must not import layer"),
        ("memory", "from .neuron import LIFNode", "memory must not import neuron"),
        ("model.bad", "from spikeframe import data", "model must not import data"),
        ("model.bad", "from spikeframe import plot", "model must not import plot"),
        ("convert.bad", "from spikeframe import compat", "convert must not import compat"),
        ("neuron.bad", "from spikeframe import exchange", "neuron must not import exchange"),
        ("__init__", "from . import data", "the root must not import data"),
        ("newroom", "import torch", "room 'newroom' has no row"),
        ("layer.bad", "from torch.nn import *", "star import from torch.nn"),
        ("layer.bad", "from kernels import run", "imports kernels.run at the top"),
        ("data.bad", "import sklearn.datasets", "imports sklearn.datasets at the top"),
        ("data.bad", "try:\n import h5py\nexcept ImportError:\n h5py = None", "imports h5py"),
        ("data.bad", "class A:\n from scipy import io", "imports scipy.io at the top"),
        ("kernels.bad", "import triton.language as tl", "imports triton.language at the top"),
        ("layer.bad", "def f(x):\n assert x", "assert vanishes"),
    ],
)
def test_planted_fault_is_named(module, source, fault):
    faults = library_faults(CLEAN | {f"spikeframe.{module}": source})
    assert any(fault in line for line in faults), faults


@pytest.mark.parametrize(
    "planted",
    [
        {"neuron.lif": "from .node import A", "neuron.node": "from .lif import B"},
        {"neuron.lif": "from spikeframe.neuron import A"},
        {"neuron.lif": "def f(): from .node import A", "neuron.node": "from .lif import B"},
        {"base.a": "from ..surrogate.b import B", "surrogate.__init__": "from ..base import a"},
    ],
    ids=["two modules", "own package", "lazy", "through a package above"],
)
def test_planted_cycle_is_named(planted):
    planted = {f"spikeframe.{name}": source for name, source in planted.items()}
    planted.setdefault("spikeframe.surrogate.b", "")
    faults = library_faults(CLEAN | planted)
    assert any(line.startswith("import cycle") for line in faults), faults


HIDDEN = CLEAN | {
    "spikeframe.base.memory": "class M:\n def _walk(self): self._live = self._apply = 1"
}


@pytest.mark.parametrize(
    "source",
    [
        "from spikeframe.neuron import _charge",
        "from spikeframe._private import charge",
        "import spikeframe._private",
        "from spikeframe import neuron\nneuron._charge(1)",
        "from spikeframe import neuron as n\nn.lif._charge(1)",
        "import spikeframe as sf\nsf.neuron._charge(1)",
        "def f(net): return net._walk()",
        "def f(net): return net[0]._live",
    ],
)
def test_planted_private_use_is_named(source):
    faults = public_faults({"tests.test_bad": source}, HIDDEN)
    assert len(faults) == 1
    assert "is private" in faults[0]


@pytest.mark.parametrize(
    "source",
    [
        "from spikeframe import __version__, neuron\nneuron.LIFNode().v",
        "class A:\n def f(self): self._live = 2\n def g(self): return self._live",
        "import torch\ntorch._walk()",
        "def f(net): return net._modules, net._apply",
    ],
)
def test_public_use_passes(source):
    assert public_faults({"tests.test_good": source}, HIDDEN) == []

"""The SpikingJelly family against the live peer and against traces recorded from it."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cases import TOLERANCE
from reference import relative_error

from spikeframe import neuron, surrogate

PATH = Path(__file__).with_name("spikingjelly_nodes.py")
SPEC = importlib.util.spec_from_file_location("spikingjelly_nodes", PATH)
nodes = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(nodes)

OURS = SimpleNamespace(neuron=neuron, surrogate=surrogate)
SEEDS = 12


def compare(ours, theirs, spikes):
    """Spikes identical, all else close; a name that only one of them has is a detail of it."""
    for key in theirs.keys() & ours.keys():
        expected = theirs[key].reshape(ours[key].shape).to(ours[key].dtype)
        if key == "output" and spikes:
            assert torch.equal(ours[key], expected)
        else:
            assert relative_error(ours[key], expected) < TOLERANCE[torch.float32], key
    assert {"output", "grad"} <= theirs.keys() & ours.keys()


@pytest.mark.parametrize("backend", ["eager", "torch"])
@pytest.mark.parametrize("case", nodes.CASES, ids=str)
def test_neurons_equal_the_recorded_traces(case, backend):
    with np.load(nodes.GOLDEN) as golden:
        prefix = f"{case}/"
        names = [name for name in golden.files if name.startswith(prefix)]
        theirs = {name.removeprefix(prefix): torch.from_numpy(golden[name]) for name in names}
    compare(nodes.trace(OURS, case, 0, backend), theirs, case.spikes)


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("case", nodes.CASES, ids=str)
def test_neurons_equal_the_live_peer(case):
    reason = "spikingjelly is not installed (make parity installs it)"
    pytest.importorskip("spikingjelly.activation_based", reason=reason)
    for seed in range(SEEDS):
        theirs = nodes.trace(nodes.peer(), case, seed)
        compare(nodes.trace(OURS, case, seed, "auto"), theirs, case.spikes)


def test_every_case_is_recorded():
    with np.load(nodes.GOLDEN) as golden:
        assert {name.split("/")[0] for name in golden.files} == {str(c) for c in nodes.CASES}

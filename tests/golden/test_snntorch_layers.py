"""LSTM cells and neurons without reset against snnTorch 1.0.0: recorded traces, live package."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import TOLERANCE
from reference import relative_error

SPEC = importlib.util.spec_from_file_location(
    "snntorch_layers", Path(__file__).with_name("snntorch_layers.py")
)
layers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(layers)

# Their convolution adds in another order than a recurrence.
ROUNDED = ("StateLeaky", "LinearLeaky", "LeakyParallel")


def compare(name, seed, theirs, backend):
    ours = layers.our_trace(name, seed, theirs, backend)
    assert torch.equal(ours["spikes"] != 0, theirs["spikes"] != 0)
    for key in theirs.keys() - {"gain"}:
        if key == "spikes" and name not in ROUNDED:
            assert torch.equal(ours[key], theirs[key])
        elif not key.startswith("weight/"):
            assert relative_error(ours[key], theirs[key]) < TOLERANCE[torch.float32], key


@pytest.mark.parametrize("seed", layers.GOLDEN_SEEDS)
@pytest.mark.parametrize("name", layers.LAYERS)
def test_layers_equal_the_recorded_traces(name, seed):
    with np.load(layers.GOLDEN) as golden:
        prefix = f"{name}/{seed}/"
        keys = [key for key in golden.files if key.startswith(prefix)]
        theirs = {key.removeprefix(prefix): torch.from_numpy(golden[key]) for key in keys}
    assert 0.05 <= (theirs["spikes"] != 0).float().mean() <= 0.6
    compare(name, seed, theirs, "eager" if "LSTM" in name else "torch")


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("seed", range(2, 10))
@pytest.mark.parametrize("name", layers.LAYERS)
def test_layers_equal_the_live_peer(name, seed):
    pytest.importorskip("snntorch", reason="snntorch is not installed (make parity installs it)")
    compare(name, seed, layers.peer_trace(name, seed), "auto")


def test_every_trace_is_recorded():
    with np.load(layers.GOLDEN) as golden:
        recorded = {tuple(key.split("/")[:2]) for key in golden.files}
    assert recorded == {(n, str(seed)) for n in layers.LAYERS for seed in layers.GOLDEN_SEEDS}

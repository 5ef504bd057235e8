"""The snnTorch family against snnTorch 1.0.0: recorded traces, and the live package."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import TOLERANCE
from reference import relative_error

from spikeframe import neuron

SPEC = importlib.util.spec_from_file_location(
    "snntorch_family", Path(__file__).parent / "snntorch_family.py"
)
family = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(family)


# What no program is made of.
COMPOSED = ("-linear-", "-conv-", "inhibited")


def our_trace(name, seed, theirs, backend):
    kind, _, _ = family.KINDS[name]
    given = family.arguments(name, seed)
    if "spike" in given:
        given["surrogate_function"] = family.SPIKES[given.pop("spike")][1]()
    node = getattr(neuron, kind)(**given, step_mode="m", store_v_seq=True, backend=backend)
    weights = {k.removeprefix("weight/"): v for k, v in theirs.items() if k.startswith("weight/")}
    node.load_state_dict(weights, strict=False)
    x_seq, factors = family.inputs(name, seed, theirs["gain"].item())
    x_seq.requires_grad_()
    spikes = node(x_seq)
    ((spikes * factors[0]).sum() + (node.mem_seq * factors[1]).sum()).backward()
    trace = {"spikes": spikes.detach(), "mem_seq": node.mem_seq.detach(), "grad": x_seq.grad}
    grads = {f"grad/{k}": p.grad for k, p in node.named_parameters() if p.grad is not None}
    return trace | grads


def compare(name, seed, theirs, backend="auto"):
    ours = our_trace(name, seed, theirs, backend)
    assert torch.equal(ours["spikes"], theirs["spikes"])
    for key in theirs.keys() - {"spikes", "gain"}:
        if not key.startswith("weight/"):
            assert relative_error(ours[key], theirs[key]) < TOLERANCE[torch.float32], key
    assert {k for k in ours if k.startswith("grad/")} == {
        k for k in theirs if k.startswith("grad/")
    }
    return ours


@pytest.mark.parametrize("seed", family.GOLDEN_SEEDS)
@pytest.mark.parametrize("name", family.KINDS)
def test_neurons_equal_the_recorded_traces(name, seed):
    with np.load(family.GOLDEN) as golden:
        prefix = f"{name}/{seed}/"
        keys = [key for key in golden.files if key.startswith(prefix)]
        theirs = {k.removeprefix(prefix): torch.from_numpy(golden[k]).float() for k in keys}
    fired = (theirs["spikes"] != 0).float().mean()
    assert 0.05 <= fired <= 0.6
    compare(name, seed, theirs, "eager" if any(part in name for part in COMPOSED) else "torch")


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("seed", range(2, 10))
@pytest.mark.parametrize("name", family.KINDS)
def test_neurons_equal_the_live_peer(name, seed):
    pytest.importorskip("snntorch", reason="snntorch is not installed (make parity installs it)")
    ours = compare(name, seed, theirs := family.peer_trace(name, seed), "eager")
    assert torch.equal(ours["mem_seq"], theirs["mem_seq"])


def test_every_trace_is_recorded():
    with np.load(family.GOLDEN) as golden:
        recorded = {tuple(key.split("/")[:2]) for key in golden.files}
    assert recorded == {(name, str(seed)) for name in family.KINDS for seed in family.GOLDEN_SEEDS}

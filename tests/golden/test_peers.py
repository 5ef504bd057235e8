"""Our neurons against traces recorded from SpikingJelly 2.0.0 and snnTorch 1.0.0."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import TOLERANCE
from reference import relative_error

from spikeframe import neuron, surrogate

SPEC = importlib.util.spec_from_file_location("peers", Path(__file__).parent / "peers.py")
peers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(peers)


def our_trace(family, name):
    x_seq, weights = peers.inputs(family)
    x_seq.requires_grad_()
    strict = family == "snntorch"
    if strict:
        _, kind, arguments = peers.SNNTORCH[name]
        arguments = arguments | {"v_reset": None}
    else:
        kind, arguments = peers.SPIKINGJELLY[name]
    node = getattr(neuron, kind)(
        **arguments,
        surrogate_function=surrogate.ATan(strict=strict),
        step_mode="m",
        store_v_seq=True,
    )
    spikes = node(x_seq)
    (spikes * weights).sum().backward()
    trace = {"spikes": spikes.detach(), "v_seq": node.v_seq.detach(), "grad": x_seq.grad}
    return trace | {key: parameter.grad for key, parameter in node.named_parameters()}


def compare(ours, theirs):
    assert 0.05 < theirs["spikes"].mean() < 0.95
    assert torch.equal(ours["spikes"], theirs["spikes"])
    for key in theirs.keys() - {"spikes"}:
        assert relative_error(ours[key], theirs[key]) < TOLERANCE[torch.float32], key


@pytest.mark.parametrize(("family", "name"), peers.trace_names())
def test_neurons_equal_the_recorded_traces(family, name):
    with np.load(peers.GOLDEN) as golden:
        prefix = f"{family}/{name}/"
        theirs = {
            key.removeprefix(prefix): torch.from_numpy(golden[key])
            for key in golden.files
            if key.startswith(prefix)
        }
    ours = our_trace(family, name)
    compare(ours, theirs)
    if family == "spikingjelly" and "PLIF" not in name:
        assert torch.equal(ours["v_seq"], theirs["v_seq"])


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("family", "name"), peers.trace_names())
def test_neurons_equal_the_live_peer(family, name):
    pytest.importorskip(family, reason=f"{family} is not installed (make parity installs it)")
    theirs = peers.peer_trace(family, name)
    ours = our_trace(family, name)
    compare(ours, theirs)
    if family == "spikingjelly":
        assert torch.equal(ours["v_seq"], theirs["v_seq"])


def test_every_trace_is_recorded():
    with np.load(peers.GOLDEN) as golden:
        assert {tuple(key.split("/")[:2]) for key in golden.files} == set(peers.trace_names())

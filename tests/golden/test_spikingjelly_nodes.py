"""The SpikingJelly family against the live peer and against traces recorded from it."""

import dataclasses
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cases import TOLERANCE
from reference import relative_error

from spikeframe import functional, layer, neuron, surrogate

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


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("case", nodes.CASES, ids=str)
def test_single_steps_equal_the_live_peer(case):
    pytest.importorskip("spikingjelly.activation_based", reason="make parity installs it")
    stepwise = dataclasses.replace(case, step_by_step=True)
    for package in (nodes.peer(), OURS):
        if "s" not in nodes.make(package, stepwise, nodes.Draw(0)).supported_step_mode():
            pytest.skip(f"{case.kind} takes sequences only")
    for seed in range(SEEDS, SEEDS + 4):
        if case.kind == "MaskedPSN" and case.arguments(nodes.Draw(seed))["lambda_init"] < 1:
            continue  # sees later steps
        theirs = nodes.trace(nodes.peer(), stepwise, seed)
        compare(nodes.trace(OURS, stepwise, seed), theirs, case.spikes)


# What resets itself at every call there.
SELF_RESETTING = ("DSR", "NonSpiking", "SlidingPSN", "GatedLIF")


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("case", nodes.CASES, ids=str)
def test_converted_neurons_equal_the_live_peer(case):
    pytest.importorskip("spikingjelly.activation_based", reason="make parity installs it")
    for seed in range(4):
        draw = nodes.Draw(seed)
        theirs = nodes.make(nodes.peer(), case, draw)
        if "folded" in str(case) or (
            case.kind == "MPBNLIFNode" and not hasattr(theirs.vbn, "eps")
        ):
            with pytest.raises(ValueError, match="no counterpart for a normalisation"):
                neuron.from_spikingjelly(theirs)
            continue
        calls = 1 if str(case).startswith(SELF_RESETTING) else 2
        sequences = [nodes.inputs(case, draw, 2.0) for _ in range(calls)]
        ours = neuron.from_spikingjelly(theirs)
        for x_seq in sequences:
            expected = nodes.run(theirs, case, x_seq)
            found = nodes.run(ours, case, x_seq)
            if case.spikes:
                assert torch.equal(found, expected)
            assert relative_error(found, expected) < TOLERANCE[torch.float32]
        if calls == 2 and not str(case).startswith("MaskedPSN"):
            # The state is carried over, too.
            again = neuron.from_spikingjelly(theirs)
            x_seq = sequences[0]
            expected = nodes.run(theirs, case, x_seq)
            assert relative_error(nodes.run(again, case, x_seq), expected) < 1e-5


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("online", [False, True])
def test_online_training_equals_the_live_peer(online):
    pytest.importorskip("spikingjelly.activation_based", reason="make parity installs it")
    from spikingjelly.activation_based import layer as their_layer
    from spikingjelly.activation_based.learning import online_learning

    results = []
    for package, module, train in (
        (nodes.peer(), their_layer, online_learning.ottt_online_training),
        (OURS, layer, functional.ottt_online_training),
    ):
        torch.manual_seed(0)
        node = {"v_threshold": 0.4, "surrogate_function": package.surrogate.ATan()}
        net = module.OTTTSequential(
            torch.nn.Linear(6, 12),
            package.neuron.OTTTLIFNode(**node),
            torch.nn.AvgPool1d(2),
            torch.nn.Linear(6, 6),
            package.neuron.OTTTLIFNode(**node),
            torch.nn.Linear(6, 3),
        )
        sgd = torch.optim.SGD(net.parameters(), lr=0.2)
        x_seq, target_seq = torch.rand(5, 8, 6), torch.rand(5, 8, 3)
        mse = torch.nn.functional.mse_loss
        loss, outputs = train(net, sgd, x_seq, target_seq, mse, online)
        results.append([loss, outputs, *(p.detach() for p in net.parameters())])
    for theirs, ours in zip(*results, strict=True):
        assert relative_error(ours, theirs) < TOLERANCE[torch.float32]


def test_every_case_is_recorded():
    with np.load(nodes.GOLDEN) as golden:
        assert {name.split("/")[0] for name in golden.files} == {str(c) for c in nodes.CASES}

"""The table of backends: names, reasons, choice."""

import pytest
import torch
from cases import NEURONS, sequence
from engines import ENGINES

from spikeframe import kernels, neuron


@pytest.mark.parametrize("backend", kernels.NAMES)
def test_every_name_builds_and_serves_or_says_why_not(backend):
    """Published models hard-code 'cupy': constructors take it, the first call judges it."""
    for step_mode in "sm":
        node = neuron.LIFNode(backend=backend, step_mode=step_mode)
        reason = kernels.why_not(node, backend)
        if reason is None:
            node(sequence((3,)))
            continue
        with pytest.raises(RuntimeError, match=f"backend '{backend}' cannot run LIFNode on cpu: "):
            node(sequence((3,)))
        assert reason in kernels.explain(node)


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_every_backend_that_serves_gives_the_eager_spikes(case):
    x_seq = sequence((3, 5))
    expected = case(step_mode="m", backend="eager")(x_seq)
    for backend in kernels.NAMES:
        node = case(step_mode="m", backend=backend)
        if kernels.why_not(node, backend) is None:
            assert torch.equal(node(x_seq), expected), backend


def test_names_are_checked_at_once():
    message = "backend must be one of 'auto', 'eager', .*'cupy', got 'cuda'"
    with pytest.raises(ValueError, match=message):
        neuron.IFNode(backend="cuda")
    node = neuron.IFNode()
    with pytest.raises(ValueError, match=message):
        node.backend = "cuda"
    with pytest.raises(ValueError, match=message):
        kernels.why_not(node, "cuda")
    assert node.backend == "auto"
    assert set(node.supported_backends) <= set(kernels.NAMES)


def test_explain_has_a_line_per_name():
    node = neuron.IFNode()
    lines = kernels.explain(node).splitlines()
    assert [line.split(":")[0] for line in lines] == list(kernels.NAMES)
    first = next(name for name in kernels.BACKENDS if kernels.why_not(node, name) is None)
    assert lines[0] == f"auto: runs {first!r}"


@pytest.mark.parametrize("backend", [b for b in ENGINES if b.stand_in is not None], ids=str)
def test_explain_tells_what_has_not_run_on_a_device(backend, monkeypatch):
    """Stand-ins serve here as the backends would where there is a device."""
    node = neuron.IFNode(backend=backend.name)
    assert "not yet run" not in kernels.explain(node)
    backend.install(monkeypatch)
    lines = dict(line.split(": ", 1) for line in kernels.explain(node).splitlines())
    told = "compiled and tested without a device, not yet run on one"
    assert lines[backend.name] == f"serves ({told})"
    assert lines["torch"] == "serves"
    assert kernels.explain(torch.nn.Sequential(node)).endswith(told)


def test_the_environment_replaces_an_unavailable_backend_with_a_notice(monkeypatch):
    missing = next(name for name in kernels.NAMES if kernels.why_not(neuron.IFNode(), name))
    monkeypatch.setenv("SPIKEFRAME_BACKEND", "auto")
    node = neuron.IFNode(backend=missing, step_mode="m")
    with pytest.warns(UserWarning, match=f"'{missing}' cannot run IFNode .*using 'auto'"):
        spikes = node(sequence((3,)))
    assert torch.equal(spikes, neuron.IFNode(step_mode="m")(sequence((3,))))


def test_a_net_is_explained_node_by_node():
    net = torch.nn.Sequential(
        torch.nn.Linear(2, 2),
        neuron.IFNode(backend="eager"),
        neuron.LIFNode(surrogate_function=lambda u: torch.cumsum(u, 0)),
        neuron.LIFNode(backend="cupy"),
    )
    rows = [line.split(maxsplit=5) for line in kernels.explain(net).splitlines()]
    assert rows[0] == ["module", "class", "backend", "runs", "saved", "why"]
    assert rows[1] == ["1", "IFNode", "eager", "eager", "-"]
    assert rows[2][:5] == ["2", "LIFNode", "auto", "eager", "-"]
    assert rows[2][5] == kernels.why_not(net[2], "torch")
    assert rows[3][:5] == ["3", "LIFNode", "cupy", "-", "-"]
    assert rows[3][5] == kernels.why_not(net[3], "cupy")


def test_a_call_is_judged_by_its_inputs():
    node, x_seq = neuron.IFNode(), sequence((3,))
    node.fit_memories(x_seq[0])
    assert kernels.why_not(node, "torch", call=kernels.Call(node, [x_seq])) is None
    reason = kernels.why_not(node, "torch", call=kernels.Call(node, [x_seq.to("meta")]))
    assert "without plain storage" in reason


def test_a_method_of_the_instance_is_seen():
    x_seq, outputs = sequence((3,)), []
    for backend in ("auto", "eager"):
        node = neuron.IFNode(step_mode="m", backend=backend)
        node(x_seq)
        node.reset()
        node.neuronal_charge = lambda x, node=node: setattr(node, "v", node.v + 3 * x)
        outputs.append(node(x_seq))
    assert torch.equal(*outputs)
    assert not torch.equal(outputs[0], neuron.IFNode(step_mode="m")(x_seq))

"""The README's neuron, which no backend was written for: three states, a learned threshold per
channel, a surrogate of its own, an if on a flag."""

import functools

import pytest
import torch
from agreement import compare
from cases import sequence
from house.run_page import blocks
from house.sources import ROOT
from spikeframe.kernels.cache import traced

from spikeframe import kernels, neuron, surrogate


@functools.cache
def readme_class():
    found = [s for _, s in blocks((ROOT / "README.md").read_text()) if "class Adaptive" in s]
    namespace = {"torch": torch, "nn": torch.nn, "neuron": neuron, "surrogate": surrogate}
    exec("\n".join(found), namespace)
    return namespace["Adaptive"]


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("adapts", [True, False])
@pytest.mark.parametrize("v_reset", [0.0, None])
def test_spikes_are_equal_and_gradients_match(engine, adapts, v_reset):
    def make(backend):
        return readme_class()(4, adapts, v_reset=v_reset, step_mode="m", backend=backend)

    compare(engine, make, sequence((3, 4, 17), T=9) * 1.5)


def test_it_fires_and_learns():
    node = readme_class()(4, step_mode="m")
    spikes = node(sequence((3, 4, 17), T=40) * 1.5)
    assert 0.05 < spikes.mean() < 0.6
    spikes.sum().backward()
    assert (node.bound.grad != 0).all()


def test_it_saves_what_three_states_need():
    """The distance from the threshold and the membrane; the currents are sums of what is given."""
    node = readme_class()(4)
    assert kernels.why_not(node, "cpp") is None
    assert traced(node).program((), (0,)).saved == ("value", "value")

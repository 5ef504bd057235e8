"""A refractory period: hand tables."""

import pytest
import torch

from spikeframe import neuron, rnn

pytestmark = pytest.mark.usefixtures("uncompiled")


class RefractoryIFNode(neuron.Refractory, neuron.IFNode):
    """On a perfect integrator."""


class RefractoryCUBANode(neuron.Refractory, neuron.CUBALIFNode):
    """On two states."""


@pytest.mark.parametrize("backend", ["eager", "torch"])
def test_waiting_by_hand(backend):
    node = RefractoryIFNode(
        tau_ref=2, v_reset=0.25, step_mode="m", store_state_seqs=True, backend=backend
    )
    assert node(torch.full((6, 1), 0.5)).flatten().tolist() == [0, 1, 0, 0, 0, 1]
    # 0.75, 1.25 fires, two steps held, 0.75, 1.25 fires
    assert node.state_seqs["v"].flatten().tolist() == [0.75, 0.25, 0.25, 0.25, 0.75, 0.25]
    assert node.state_seqs["wait"].flatten().tolist() == [0, 2, 1, 0, 0, 2]


def test_a_soft_reset_that_leaves_much_waits_as_well():
    node = RefractoryIFNode(tau_ref=1, v_reset=None, step_mode="m")
    assert node(torch.tensor([[3.5], [0.0], [0.0], [0.0], [0.0]])).flatten().tolist() == [
        *(1, 0, 1, 0, 1)
    ]


def test_other_states_go_on():
    node = RefractoryCUBANode(tau_ref=2, step_mode="m", store_state_seqs=True)
    node(torch.tensor([[1.0], [0.0], [0.0], [0.0]]))
    assert node.state_seqs["c"].flatten().tolist() == [1.0, 0.5, 0.25, 0.125]
    assert node.state_seqs["v"].flatten().tolist() == [0.0, 0.0, 0.0, 0.125]


@pytest.mark.parametrize(
    "base", [neuron.TernaryIFNode, neuron.LIAFNode, neuron.MPBNLIFNode, neuron.NonSpikingIFNode]
)
def test_what_does_not_fire_by_its_hook_is_refused(base):
    kind = type("Silenced", (neuron.Refractory, base), {})
    with pytest.raises(TypeError, match="Refractory silences neuronal_fire, which .* does not"):
        kind()


def test_it_goes_with_the_other_mixins():
    kind = type("Both", (neuron.Refractory, rnn.Recurrent, neuron.Noisy, neuron.IFNode), {})
    node = kind(1.0, tau_ref=2, step_mode="m")
    assert node(torch.full((7, 1), 2.0)).flatten().tolist() == [1, 0, 0, 1, 0, 0, 1]

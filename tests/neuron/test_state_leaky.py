"""Leaky neurons without reset, with and without a linear map before them."""

import pytest
import torch
from cases import sequence

from spikeframe import kernels, neuron


def test_the_decay_is_beta_itself():
    node = neuron.StateLeaky(0.5, step_mode="m", store_v_seq=True)
    node(torch.tensor([[1.0], [0.0], [0.0]]))
    assert node.mem_seq.flatten().tolist() == [1.0, 0.5, 0.25]


def test_it_is_a_leaky_neuron_that_is_not_reset():
    x_seq = sequence((3, 4))
    state, leaky = neuron.StateLeaky(0.8), neuron.Leaky(0.8, reset_mechanism="none")
    state.step_mode = leaky.step_mode = "m"
    assert torch.equal(state(x_seq), leaky(x_seq))
    assert state(x_seq).mean() > 0
    with pytest.raises(TypeError, match="takes no reset_mechanism, which is 'none' here"):
        neuron.StateLeaky(0.8, reset_mechanism="zero")


@pytest.mark.parametrize("make", [neuron.LinearLeaky, neuron.LeakyParallel])
def test_a_linear_map_comes_before_it(make):
    size = {"in_features": 7, "out_features": 5}
    if make is neuron.LeakyParallel:
        size = {"input_size": 7, "hidden_size": 5}
    torch.manual_seed(0)
    node = make(beta=torch.full((5,), 0.8), learn_beta=True, **size, step_mode="m")
    state = neuron.StateLeaky(0.8, step_mode="m")
    x_seq = 3 * sequence((2, 7))
    spikes = node(x_seq)
    assert torch.equal(spikes, state(node.linear(x_seq)))
    assert 0 < spikes.mean() < 1
    spikes.sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in node.parameters())
    single = make(beta=0.8, **size)
    single.load_state_dict({k: v for k, v in node.state_dict().items() if k != "beta"})
    assert torch.allclose(torch.stack([single(x) for x in x_seq]), spikes)
    with pytest.raises(TypeError, match="takes a tensor, got float"):
        node(1.0)
    assert not hasattr(make(beta=0.8, bias=False, **size).linear.bias, "shape")


def test_a_rectified_potential_stops_at_zero_and_is_fused():
    node = neuron.LeakyParallel(4, 4, 0.9, rectify=True, step_mode="m", store_v_seq=True)
    assert kernels.why_not(node, "torch") is None
    with torch.no_grad():
        node.linear.weight.copy_(torch.eye(4))
        node.linear.bias.zero_()
    node(torch.tensor([[-1.0] * 4, [0.5] * 4]))
    assert node.mem_seq.tolist() == [[0.0] * 4, [0.5] * 4]
    plain = neuron.LeakyParallel(4, 4, 0.9, step_mode="m", store_v_seq=True)
    plain.load_state_dict(node.state_dict())
    plain(torch.tensor([[-1.0] * 4, [0.5] * 4]))
    assert plain.mem_seq[1].tolist() == pytest.approx([-0.4] * 4)


def test_decays_are_drawn_where_none_is_given():
    torch.manual_seed(0)
    node = neuron.LeakyParallel(3, 50)
    assert node.beta.shape == (50,)
    assert 0 <= node.beta.min() < 0.2 < 0.8 < node.beta.max() <= 1

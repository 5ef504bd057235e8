"""Online training: a step's gradients, summed or stepped."""

import copy
import itertools

import pytest
import torch
from torch import nn

from spikeframe import functional, layer, neuron


def net_of(kind):
    torch.manual_seed(0)
    modules = nn.Linear(3, 8), kind(v_threshold=0.3), nn.Linear(8, 2)
    return (layer.OTTTSequential if kind is neuron.OTTTLIFNode else nn.Sequential)(*modules)


def batch():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(4, 6, 3, generator=generator), torch.rand(4, 6, 2, generator=generator)


@pytest.mark.parametrize("kind", [neuron.OTTTLIFNode, neuron.SLTTLIFNode])
def test_offline_is_one_step_by_the_sum_of_the_gradients(kind):
    net, (x_seq, target_seq) = net_of(kind), batch()
    expected = copy.deepcopy(net)
    for t in range(6):
        nn.functional.mse_loss(expected(x_seq[:, t]), target_seq[:, t]).backward()
    sgd = torch.optim.SGD(net.parameters(), lr=0.5)
    loss, outputs = functional.ottt_online_training(
        net, sgd, x_seq, target_seq, nn.functional.mse_loss, online=False
    )
    for ours, theirs in zip(net.parameters(), expected.parameters(), strict=True):
        assert torch.allclose(ours, theirs - 0.5 * theirs.grad, atol=1e-6)
    functional.reset_net(expected)
    y_seq = torch.stack([expected(x) for x in x_seq.unbind(1)], 1)
    assert torch.allclose(outputs, y_seq)
    assert loss.item() == pytest.approx(6 * nn.functional.mse_loss(y_seq, target_seq).item())
    assert not outputs.requires_grad


def test_online_steps_at_every_step():
    net, (x_seq, target_seq) = net_of(neuron.OTTTLIFNode), batch()
    seen = []
    sgd = torch.optim.SGD(net.parameters(), lr=0.5)

    def loss(y, target):
        seen.append(net[0].weight.detach().clone())
        return nn.functional.mse_loss(y, target)

    functional.ottt_online_training(net, sgd, x_seq, target_seq, loss, online=True)
    assert len(seen) == 6
    assert all(not torch.equal(a, b) for a, b in itertools.pairwise(seen))


def test_a_net_that_ends_in_a_node_is_read_by_its_spikes():
    net = layer.OTTTSequential(nn.Linear(3, 2), neuron.OTTTLIFNode(v_threshold=0.1))
    x_seq, target_seq = batch()
    sgd = torch.optim.SGD(net.parameters(), lr=0.5)
    _, outputs = functional.ottt_online_training(
        net, sgd, x_seq, target_seq, nn.functional.mse_loss, online=True
    )
    assert set(outputs.unique().tolist()) <= {0.0, 1.0}


def test_targets_of_other_steps_are_refused():
    net = nn.Sequential(nn.Linear(3, 2), neuron.SLTTLIFNode())
    sgd = torch.optim.SGD(net.parameters(), lr=0.5)
    x_seq, target_seq = torch.rand(2, 4, 3), torch.rand(2, 5, 2)
    with pytest.raises(ValueError, match=r"same N and T, got \[2, 4, 3\] and \[2, 5, 2\]"):
        functional.ottt_online_training(
            net, sgd, x_seq, target_seq, nn.functional.mse_loss, online=False
        )

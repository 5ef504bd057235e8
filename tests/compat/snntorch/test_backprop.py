"""The training loops: what they average, when they learn, what they refuse."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import spikeframe.compat.snntorch as snn
from spikeframe.compat.snntorch import backprop
from spikeframe.compat.snntorch import functional as SF


def make(lr=0.0):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(3, 4),
        snn.Synaptic(0.9, 0.8, init_hidden=True),
        nn.Linear(4, 2),
        snn.Leaky(0.9, init_hidden=True, output=True),
    )
    return net, torch.optim.SGD(net.parameters(), lr=lr)


def batches(*shape):
    torch.manual_seed(1)
    x = torch.rand(8, *shape)
    return DataLoader(TensorDataset(x, torch.tensor([0, 1] * 4)), 4)


class Counting:
    __name__ = "ce_rate_loss"

    def __init__(self):
        self.calls, self.loss = [], SF.ce_rate_loss()

    def __call__(self, spk, targets):
        self.calls.append(spk.shape[0])
        return self.loss(spk, targets)


@pytest.mark.parametrize("K", [1, 2, 5])
def test_the_mean_does_not_depend_on_the_chunks(K):
    net, optimizer = make()
    criterion = Counting()
    loss = backprop.TBPTT(net, batches(3), optimizer, criterion, 5, False, K=K)
    whole = backprop.BPTT(net, batches(3), optimizer, SF.ce_rate_loss(), 5, time_var=False)
    torch.testing.assert_close(loss, whole)
    assert not loss.requires_grad
    assert criterion.calls == {1: [1] * 5, 2: [2, 2, 1], 5: [5]}[K] * 2


def test_data_that_change_in_either_order():
    losses = []
    for time_first in (True, False):
        net, optimizer = make()
        loader = [(x.transpose(0, 1) if time_first else x, y) for x, y in batches(6, 3)]
        losses.append(
            backprop.RTRL(net, loader, optimizer, SF.mse_count_loss(), time_first=time_first)
        )
    torch.testing.assert_close(*losses)


def test_potentials_and_labels_that_change():
    net, optimizer = make(lr=0.1)
    loader = [(x.transpose(0, 1), y.expand(6, 4)) for x, y in batches(6, 3)]
    criterion = SF.mse_membrane_loss(time_var_targets=True)
    losses = [backprop.TBPTT(net, loader, optimizer, criterion, K=4) for _ in range(20)]
    assert losses[-1] < losses[0]


def test_a_penalty_is_added():
    net, optimizer = make()
    with torch.no_grad():
        net[2].bias.fill_(5.0)
    arguments = (net, batches(3), optimizer, SF.ce_rate_loss(), 4, False)
    bare = backprop.BPTT(*arguments)
    more = backprop.BPTT(*arguments, regularization=SF.l1_rate_sparsity(0.5))
    assert more > bare + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": 5}, "num_steps is the data's own number of steps"),
        ({"time_var": False}, "num_steps must be given for data that do not change"),
        ({"num_steps": 5, "time_var": False, "time_first": False}, "time_first=False is said"),
        ({"num_steps": 5, "time_var": False, "K": 6}, "K must be from 1 to num_steps=5, got 6"),
        ({"K": 0}, "K must be from 1"),
    ],
)
def test_arguments_that_do_not_go_together(options, message):
    net, optimizer = make()
    with pytest.raises(ValueError, match=message):
        backprop.TBPTT(net, batches(3), optimizer, SF.ce_rate_loss(), **options)


def test_a_net_that_returns_spikes_alone_is_refused():
    net, optimizer = make()
    net[3].output = False
    with pytest.raises(ValueError, match="make its last neuron with init_hidden=True and output"):
        backprop.BPTT(net, batches(3), optimizer, SF.ce_rate_loss(), 3, False)
    with pytest.raises(ValueError, match="dataloader gave no batch"):
        backprop.BPTT(net, [], optimizer, SF.ce_rate_loss(), 3, False)

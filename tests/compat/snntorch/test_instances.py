"""Living neurons are listed, and none is kept alive."""

import gc

import pytest
import torch
from torch import nn

import spikeframe.compat.snntorch as snn
from spikeframe.compat.snntorch.instances import Instances


def listed(*neurons):
    instances = Instances()
    for neuron in neurons:
        instances.append(neuron)
    return instances


def test_it_is_a_list_in_the_order_of_birth():
    first, second = nn.Identity(), nn.Tanh()
    instances = listed(first, second)
    assert [type(n) for n in instances] == [nn.Identity, nn.Tanh]
    assert (instances[0], instances[-1], len(instances)) == (first, second, 2)
    assert instances[1:] == [second]
    assert repr(instances) == "[Identity(), Tanh()]"
    with pytest.raises(IndexError):
        instances[2]


def test_it_has_neurons_by_identity():
    # Equality of tensors is no yes or no.
    first, second = torch.ones(2), torch.ones(2)
    instances = listed(first)
    assert first in instances
    assert second not in instances


def test_those_that_nothing_else_holds_are_forgotten():
    first, second, third = nn.Identity(), nn.Tanh(), nn.ReLU()
    instances = listed(first, second)
    del first
    gc.collect()
    assert list(instances) == [second]
    assert len(instances) == 1
    assert instances[0] is second
    instances.append(third)
    assert list(instances) == [second, third]
    instances.clear()
    assert (len(instances), list(instances)) == (0, [])
    assert second not in instances


def test_the_dead_take_no_room():
    references = []

    class Countable:
        """Tells how many weak references it has."""

    instances, alive = Instances(), Countable()
    for _ in range(100):
        instances.append(Countable())
        references.append(len(instances))
    gc.collect()
    instances.append(alive)
    assert len(instances) == 1
    assert len(vars(instances).popitem()[1]) == 1


def test_a_class_serves_all_its_living():
    snn.Leaky.init()
    lifs = [snn.Leaky(0.9, init_hidden=True), snn.Synaptic(0.9, 0.8, init_hidden=True)]
    for lif in lifs:
        lif(torch.ones(2))
    snn.Leaky.reset_hidden()
    assert lifs[0].mem == 0.0
    assert lifs[1].mem.tolist() == [1.0, 1.0]
    assert lifs[0] in snn.Leaky.instances

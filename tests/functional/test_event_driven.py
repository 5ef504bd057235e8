"""Choosing events for a whole net."""

import pytest
import torch
from torch import nn

from spikeframe import functional, layer, neuron


def net():
    inner = nn.Sequential(layer.Linear(4, 3), nn.Linear(3, 3))
    return nn.Sequential(layer.Linear(6, 4), neuron.IFNode(), inner)


@pytest.mark.parametrize("event_driven", [True, False, None])
def test_every_layer_that_can_is_set(event_driven):
    whole = net()
    functional.set_event_driven(whole)
    assert [m.event_driven for m in (whole[0], whole[2][0])] == [True, True]
    functional.set_event_driven(whole, event_driven)
    assert [m.event_driven for m in (whole[0], whole[2][0])] == [event_driven] * 2
    assert not hasattr(whole[2][1], "event_driven")
    assert whole[2][1].weight.is_contiguous()


def test_parameters_stay_what_they_are():
    whole = net()
    before = {name: (p, p.detach().clone()) for name, p in whole.named_parameters()}
    functional.set_event_driven(whole)
    for name, parameter in whole.named_parameters():
        assert parameter is before[name][0]
        assert torch.equal(parameter, before[name][1])


def test_streams_are_the_same_with_and_without():
    torch.manual_seed(0)
    plain = nn.Sequential(layer.Linear(500, 300), neuron.LIFNode(), layer.Linear(300, 5)).double()
    events = nn.Sequential(layer.Linear(500, 300), neuron.LIFNode(), layer.Linear(300, 5)).double()
    events.load_state_dict(plain.state_dict())
    functional.set_event_driven(events)
    for x in (torch.rand(25, 1, 500) < 0.3).double():
        with torch.no_grad():
            torch.testing.assert_close(events(x), plain(x))


def test_wrong_arguments_and_nets_without_such_layers_are_named():
    with pytest.raises(TypeError, match=r"net must be an nn\.Module, got list"):
        functional.set_event_driven([], True)
    with pytest.raises(TypeError, match="must be True, False or None, got 'yes'"):
        functional.set_event_driven(net(), "yes")
    with pytest.warns(UserWarning, match=r"found no layer .* in Linear, or convert\.to_layers"):
        functional.set_event_driven(nn.Linear(2, 3))

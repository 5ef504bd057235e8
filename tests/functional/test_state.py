"""The states of a net as data."""

import io

import pytest
import torch
from cases import NEURONS, sequence
from own_layers import OWN_LAYERS
from torch import nn

from spikeframe import base, functional, layer, neuron

STATEFUL = [case for case in OWN_LAYERS if case.state or "BatchNormThrough" in case.name]


def net_of(*modules):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), *modules)


def spiking_net():
    return net_of(neuron.LIFNode(), nn.Sequential(layer.Dropout(0.3), neuron.IFNode()))


def test_states_are_listed_by_name_without_history():
    net, x_seq = spiking_net(), sequence((3, 5))
    assert functional.get_states(net) == {}
    net(x_seq[0])
    states = functional.get_states(net)
    assert list(states) == ["1.v", "2.0.mask", "2.1.v"]
    assert not any(value.requires_grad for value in states.values())
    assert net[1].v.requires_grad
    kept = {name: value.clone() for name, value in states.items()}
    net(x_seq[1])
    assert all(torch.equal(states[name], kept[name]) for name in kept)


def test_states_go_back_where_they_were():
    net, x_seq = spiking_net(), sequence((3, 5))
    net(x_seq[0])
    states = functional.get_states(net)
    expected = net(x_seq[1])
    functional.set_states(net, states)
    assert torch.equal(net(x_seq[1]), expected)
    functional.set_states(net, {"1.v": states["1.v"]})
    assert functional.get_states(net).keys() == {"1.v"}
    functional.set_states(net, {})
    assert list(base.memories(net)) == [0.0, None, 0.0]


def test_a_tensor_as_reset_value_is_no_state():
    node = neuron.IFNode(v_reset=torch.tensor([-0.1, -0.2]))
    assert functional.get_states(node) == {}
    functional.set_states(node, functional.get_states(node))
    node(torch.rand(3, 2))
    assert functional.get_states(node)["v"].shape == (3, 2)


def test_unknown_names_change_nothing():
    net = spiking_net()
    net(sequence((3, 5))[0])
    before = functional.get_states(net)
    text = r"Sequential has no memory '1\.w', 'v': it has '1\.v', '2\.0\.mask', '2\.1\.v'"
    with pytest.raises(ValueError, match=text):
        functional.set_states(net, {"1.v": 0.0, "1.w": 0.0, "v": 1.0})
    assert functional.get_states(net).keys() == before.keys()
    with pytest.raises(TypeError, match="net must be an nn.Module, got list"):
        functional.get_states([net])


@pytest.mark.parametrize("name", ["states.pt", "states.safetensors"])
def test_files_keep_states(name, tmp_path):
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    net, x_seq = spiking_net(), sequence((3, 5))
    net.append(layer.TemporalEffectiveBatchNorm1d(4, 4, step_mode="s").eval())
    net(x_seq[0])
    functional.save_states(net, tmp_path / name)
    expected = net(x_seq[1])
    functional.reset_net(net)
    functional.load_states(net, tmp_path / name)
    assert net[3].t == 1
    assert torch.equal(net(x_seq[1]), expected)
    functional.reset_net(net)
    functional.save_states(net, tmp_path / name)
    net(x_seq[0])
    functional.load_states(net, tmp_path / name)
    assert functional.get_states(net) == {}


def test_a_state_that_a_format_cannot_keep_is_named(tmp_path):
    pytest.importorskip("safetensors")

    class Lists(base.MemoryModule):
        def __init__(self):
            super().__init__()
            self.register_memory("queue", [])

    net = nn.Sequential(Lists())
    net[0].queue = [torch.ones(1)]
    with pytest.raises(TypeError, match=r"the state '0\.queue' is a list: choose another ending"):
        functional.save_states(net, tmp_path / "states.safetensors")
    functional.save_states(net, tmp_path / "states.pt")
    net[0].reset()
    functional.load_states(net, tmp_path / "states.pt")
    assert net[0].queue == [torch.ones(1)]


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"pip install 'spikeframe\[state\]', or choose another"):
        functional.save_states(neuron.IFNode(), tmp_path / "states.safetensors")


def test_state_dict_has_states_where_asked():
    net, x_seq = spiking_net(), sequence((3, 5))
    net(x_seq[0])
    plain, full = net.state_dict(), functional.state_dict(net)
    assert functional.state_dict(net, include_state=False).keys() == plain.keys()
    assert full.keys() - plain.keys() == {"1.v", "2.0.mask", "2.1.v"}
    assert net.state_dict().keys() == plain.keys()
    file = io.BytesIO()
    torch.save(full, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    expected = net(x_seq[1])
    twin = spiking_net()
    twin(x_seq[2])
    twin.load_state_dict(loaded)
    assert torch.equal(twin(x_seq[1]), expected)
    functional.reset_net(net)
    twin.load_state_dict(functional.state_dict(net))
    assert functional.get_states(twin) == {}


def test_a_plain_state_dict_leaves_states_alone():
    net = spiking_net()
    net(sequence((3, 5))[0])
    before = functional.get_states(net)
    net.load_state_dict(net.state_dict())
    after = functional.get_states(net)
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("case", NEURONS, ids=str)
@pytest.mark.parametrize("restart", ["chunks", "restored", "stepwise"])
def test_streaming_equals_the_whole_sequence(case, restart):
    """Chunks, a net that is put away and taken out again in between, and single steps."""
    torch.manual_seed(0)
    net, x_seq = nn.Sequential(case(), nn.Linear(5, 4), case()).double(), sequence((3, 5)).double()
    functional.set_step_mode(net, "m")
    expected = net(x_seq)
    functional.reset_net(net)
    if restart == "stepwise":
        functional.set_step_mode(net, "s")
        found = torch.stack([net(x) for x in x_seq])
    else:
        parts = []
        for chunk in x_seq.split((1, 4, 2)):
            parts.append(net(chunk))
            if restart == "restored":
                states = functional.get_states(net)
                functional.reset_net(net)
                functional.set_states(net, states)
        found = torch.cat(parts)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("case", STATEFUL, ids=str)
def test_states_of_layers_are_data_too(case, tmp_path):
    layers, x_seq = [case.build() for _ in range(2)], case.sequence()
    layers[0](x_seq[:2])
    functional.save_states(layers[0], tmp_path / "states.pt")
    functional.load_states(layers[1], tmp_path / "states.pt")
    assert torch.equal(layers[1](x_seq[2:]), layers[0](x_seq[2:]))

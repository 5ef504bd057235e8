"""The report counts what torch keeps, once, and leaves the net as it was."""

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from spikeframe import functional, layer, memory, neuron


def net_of():
    torch.manual_seed(0)
    net = nn.Sequential(
        layer.Conv2d(2, 4, 3),
        layer.BatchNorm2d(4),
        neuron.LIFNode(),
        nn.Sequential(layer.Flatten(), layer.Linear(64, 5)),
    )
    functional.set_step_mode(net, "m")
    return net


def inputs():
    return torch.rand(4, 3, 2, 6, 6, requires_grad=True)


def test_report_counts_what_is_saved():
    net, x, seen = net_of(), inputs(), {}
    own = {t.untyped_storage().data_ptr() for t in (x, *net.parameters(), *net.buffers())}
    alive = []

    def pack(tensor):
        storage = tensor.untyped_storage()
        alive.append(tensor)
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        net(x)
    functional.reset_net(net)
    report = memory.report(net, x)
    assert report.bytes == sum(seen.values()) > 0
    rows = {row.name: row for row in report.layers}
    values = 4 * 3 * 4 * 16 * 4
    assert rows["0"].bytes == 0
    assert rows["1"].bytes == values + 2 * 4 * 4
    assert rows["2"].bytes == values
    assert rows["3.1"].bytes == values
    assert (rows["2"].states, report.states) == (values // 4, values // 4)
    assert [row.name for row in report.layers] == ["0", "1", "2", "3.0", "3.1"]
    assert rows["2"].kind == "LIFNode"


def hooks(net):
    return [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()]


def test_report_leaves_states_and_hooks():
    net, x = net_of(), inputs()
    net(x)
    before, hooked = functional.get_states(net), hooks(net)
    with torch.no_grad():
        assert memory.report(net, x).bytes > 0
    after = functional.get_states(net)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert hooks(net) == hooked
    with pytest.raises(ValueError, match="Conv2d '0'"):
        memory.report(net, torch.rand(3))
    assert hooks(net) == hooked


def test_report_keeps_neurons_on_their_backend():
    net, x = nn.Sequential(neuron.LIFNode(step_mode="m", backend="torch")), torch.rand(4, 3, 8)
    assert memory.report(net, x.requires_grad_()).bytes == 4 * 3 * 8 * 4


def test_tables_are_for_people():
    row = memory.LayerMemory
    report = memory.MemoryReport(
        (row("a", "Linear", 100, 0, 0), row("long.name", "LIFNode", 3 * 2**20, 2048, 1536))
    )
    assert str(report).splitlines() == [
        "module     class      saved  as bits   states",
        "a          Linear     100 B      0 B      0 B",
        "long.name  LIFNode  3.0 MiB  2.0 KiB  1.5 KiB",
        "           all      3.0 MiB  2.0 KiB  1.5 KiB",
    ]
    assert (report.bytes, report.states) == (100 + 3 * 2**20, 1536)

"""A profile's numbers add up and go to whom they belong, and the net is as it was."""

import time

import pytest
import torch
from torch import nn

from spikeframe import functional, layer, memory, monitor, neuron


def spin(seconds):
    """Use the processor, whose time is what is measured."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


class _Spin(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, seconds):
        ctx.seconds = seconds
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        spin(ctx.seconds)
        return grad.clone(), None


class Slow(nn.Module):
    """Takes as long as it is told, forward and backward."""

    def __init__(self, forward=0.0, backward=0.0):
        super().__init__()
        self.seconds = forward, backward

    def forward(self, x):
        spin(self.seconds[0])
        return _Spin.apply(x, self.seconds[1])


class Residual(nn.Module):
    """Does something itself beside its body: forward and backward."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        spin(0.005)
        return x + self.body(_Spin.apply(x, 0.01))


@pytest.fixture(autouse=True)
def one_thread():
    """The clock of one thread, which other processes do not disturb."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def net_of(*extra):
    torch.manual_seed(0)
    net = nn.Sequential(
        layer.Conv2d(2, 4, 3),
        layer.BatchNorm2d(4),
        neuron.LIFNode(),
        nn.Sequential(layer.MaxPool2d(2), layer.Flatten()),
        layer.Linear(16, 5),
        *extra,
    )
    functional.set_step_mode(net, "m")
    return net


def inputs():
    return torch.rand(4, 3, 2, 6, 6)


def rows_of(found):
    return {row.name: row for row in found.layers}


def test_every_leaf_is_there_with_its_group():
    found = monitor.profile(net_of(), inputs(), runs=1)
    groups = {row.name: row.group for row in found.layers}
    assert groups == {
        "0": "product",
        "1": "norm",
        "2": "neuron",
        "3.0": "pooling",
        "3.1": "other",
        "4": "product",
    }
    rows = rows_of(found)
    assert rows["2"].backend in ("cpp", "torch")
    assert {row.backend for name, row in rows.items() if name != "2"} == {""}
    assert all(rows[name].calls == 1 for name in groups)
    assert all(rows[name].forward > 0 for name in groups)


def test_times_go_to_whom_they_belong():
    slow = Slow(0.02, 0.04)
    found = monitor.profile(net_of(slow, Slow(0.0, 0.01)), inputs(), runs=3)
    rows = rows_of(found)
    assert 0.02 <= rows["5"].forward < 0.03
    assert 0.04 <= rows["5"].backward < 0.05
    assert rows["6"].forward < 0.005
    assert 0.01 <= rows["6"].backward < 0.015
    assert max(found.layers, key=found.share).name == "5"


def test_what_a_block_does_itself_is_its_own():
    net = net_of(Residual(Slow(0.01, 0.02)))
    rows = rows_of(monitor.profile(net, inputs(), runs=3))
    assert rows["5"].kind == "Residual"
    assert 0.005 <= rows["5"].forward < 0.01 <= rows["5"].backward < 0.015
    assert 0.01 <= rows["5.body"].forward < 0.015
    assert 0.02 <= rows["5.body"].backward < 0.025
    assert rows["4"].backward < 0.005


def test_layers_add_up_to_the_step():
    found = monitor.profile(net_of(Slow(0.02, 0.02)), inputs(), runs=3)
    shares = [found.share(row) for row in found.layers]
    assert sum(shares) + found.outside / found.seconds == pytest.approx(1.0)
    assert sum(found.groups().values()) == pytest.approx(1.0)
    assert found.seconds == pytest.approx(found.step, rel=0.25)
    assert found.outside < 0.25 * found.seconds


def test_the_loss_is_outside():
    def loss(outputs):
        spin(0.02)
        return Slow(0.0, 0.03)(outputs).pow(2).mean()

    found = monitor.profile(net_of(), inputs(), loss=loss, runs=3)
    assert 0.05 <= found.outside < 0.07
    assert sum(row.seconds for row in found.layers) < 0.03


def test_forward_alone():
    found = monitor.profile(net_of(Slow(0.01, 0.5)), inputs(), backward=False, runs=1)
    rows = rows_of(found)
    assert 0.01 <= rows["5"].forward < 0.02
    assert all(row.backward == row.saved == 0 for row in found.layers)
    assert rows["4"].operations == 2 * 12 * 16 * 5
    assert "forward: " in str(found)


def test_operations_and_bytes_are_those_of_the_layers():
    found = monitor.profile(net_of(), inputs(), runs=1)
    rows = rows_of(found)
    # The first layer's input wants no gradient.
    assert rows["0"].operations == 2 * 2 * (12 * 4 * 16) * (2 * 9)
    assert rows["4"].operations == 3 * 2 * 12 * 16 * 5
    values = 4 * 12 * 4 * 16
    assert (rows["1"].read, rows["1"].written) == (values, values)
    assert (rows["3.1"].read, rows["3.1"].written) == (0, 0)
    report = {row.name: row.bytes for row in memory.report(net_of(), inputs()).layers}
    assert {name: rows[name].saved for name in report if name in rows} == report
    assert found.moved(rows["1"]) == 2 * (2 * values + rows["1"].saved)


def test_a_static_input_is_read_once():
    x = torch.rand(3, 2, 6, 6).expand(4, 3, 2, 6, 6)
    rows = rows_of(monitor.profile(net_of(), x, runs=1))
    assert rows["0"].read == 4 * 3 * 2 * 36
    assert rows["0"].operations == 2 * 2 * (3 * 4 * 16) * (2 * 9)
    assert (rows["2"].read, rows["2"].written) == (4 * 3 * 4 * 16, 4 * 12 * 4 * 16)


def state_of(net):
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return (
        [(module.training, *(len(getattr(module, h)) for h in hooks)) for module in net.modules()],
        [p.grad for p in net.parameters()],
        [p.detach().clone() for p in net.parameters()],
        [b.clone() for b in net.buffers()],
        list(functional.get_states(net).values()),
        torch.get_rng_state(),
    )


def equal(found, expected):
    if isinstance(found, torch.Tensor):
        return torch.equal(found, expected)
    if isinstance(found, list | tuple):
        return all(map(equal, found, expected))
    return found == expected


@pytest.mark.parametrize("backward", [True, False])
def test_net_is_as_before(backward):
    net, x = net_of(layer.Dropout(0.5)), inputs()
    net[0].weight.grad = torch.ones_like(net[0].weight)
    net[4].eval()
    kept = net(x)
    before, grad = state_of(net), net[0].weight.grad
    monitor.profile(net, x, backward=backward, runs=2)
    assert equal(state_of(net), before)
    assert net[0].weight.grad is grad
    # The graph of the last batch is whole.
    kept.sum().backward()
    assert not torch.equal(net[0].weight.grad, torch.ones_like(grad))


def test_net_is_as_before_where_it_fails():
    net, wrong = net_of(), torch.rand(3)
    net(inputs())
    before = state_of(net)
    with pytest.raises(ValueError, match="Conv2d '0'"):
        monitor.profile(net, wrong)
    assert equal(state_of(net), before)


def test_hooks_on_weights_are_not_run():
    """Such as those by which an optimiser updates them."""
    net, ran = net_of(), []
    for p in net.parameters():
        p.register_post_accumulate_grad_hook(ran.append)
    monitor.profile(net, inputs(), runs=1)
    assert ran == []


def test_neurons_keep_their_backend_and_pairs_are_one():
    net = nn.Sequential(
        layer.Linear(8, 8), memory.NormNeuron(layer.BatchNorm1d(8), neuron.LIFNode())
    )
    functional.set_step_mode(net, "m")
    functional.set_backend(net, "torch")
    found = monitor.profile(net, torch.rand(4, 6, 8), runs=1)
    assert [(row.name, row.group, row.backend) for row in found.layers] == [
        ("0", "product", ""),
        ("1", "norm and neuron", "torch"),
    ]
    assert found.layers[1].saved <= 4 * 6 * 8 * 4 + 2 * 8 * 4


def test_single_steps_and_shared_modules_are_summed():
    shared = Slow(0.005, 0.005)
    net = nn.Sequential(nn.Linear(6, 6), shared, neuron.IFNode(), shared)

    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x_seq):
            return torch.stack([self.net(x) for x in x_seq])

    rows = rows_of(monitor.profile(Loop(), torch.rand(3, 2, 6), runs=1))
    assert {name: rows[name].calls for name in ("net.0", "net.1", "net.2")} == {
        "net.0": 3,
        "net.1": 6,
        "net.2": 3,
    }
    assert 0.03 <= rows["net.1"].forward < 0.04
    assert 0.03 <= rows["net.1"].backward < 0.04


def test_a_recomputation_belongs_to_the_backward():
    net = memory.Checkpointed(Slow(0.01, 0.02), nn.Linear(6, 6))
    rows = rows_of(monitor.profile(net, torch.rand(2, 6, requires_grad=True), runs=1))
    assert 0.01 <= rows["0"].forward < 0.015
    assert 0.03 <= rows["0"].backward < 0.035


def test_inputs_with_history_stay_whole():
    leaf = torch.rand(4, 3, 2, 6, 6, requires_grad=True)
    x = leaf * 2
    monitor.profile(net_of(), x, runs=1)
    assert leaf.grad is None
    x.sum().backward()
    assert torch.equal(leaf.grad, torch.full_like(leaf, 2.0))


def test_a_single_node_goes_by_its_class():
    x = torch.rand(4, 3, 8, requires_grad=True)
    found = monitor.profile(neuron.IFNode(step_mode="m"), x, runs=1)
    assert [row.name for row in found.layers] == ["IFNode"]


def test_only_nets_are_taken():
    with pytest.raises(TypeError, match="net must be an nn.Module, got function"):
        monitor.profile(net_of, inputs())


@pytest.mark.parametrize("runs", [0, -1, 1.0, True])
def test_runs_are_checked(runs):
    with pytest.raises(ValueError, match="runs must be an int of at least 1, got"):
        monitor.profile(net_of(), inputs(), runs=runs)


def test_nothing_to_differentiate_is_named():
    with pytest.raises(ValueError, match="no output of Flatten has a gradient .* backward=False"):
        monitor.profile(nn.Flatten(), inputs())
    assert monitor.profile(nn.Flatten(), inputs(), backward=False, runs=1).layers


def test_other_devices_are_refused():
    with pytest.raises(ValueError, match="time is measured on cpu and cuda, got meta"):
        monitor.profile(nn.Linear(2, 2, device="meta"), torch.rand(3, 2, device="meta"))

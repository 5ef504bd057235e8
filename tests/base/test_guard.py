"""Calls under which an implicit state would go wrong silently are refused or announced."""

import pytest
import torch
from cases import NEURONS, sequence
from torch import nn
from torch.utils.checkpoint import checkpoint

from spikeframe import base, functional, memory, neuron, surrogate


def net_of(case, step_mode="m"):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 4), case(surrogate_function=surrogate.ATan()))
    net[1].step_mode = step_mode
    return net


def plain_spike(u):
    return torch.sigmoid(u) + ((u >= 0).to(u) - torch.sigmoid(u)).detach()


@pytest.mark.parametrize("detach_reset", [False, True])
@pytest.mark.parametrize(
    "spike",
    [surrogate.ATan(), surrogate.ATan(spiking=False), plain_spike],
    ids=["surrogate", "primitive", "callable"],
)
@pytest.mark.parametrize("step_mode", ["s", "m"])
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_a_forgotten_reset_is_announced_before_torchs_error(case, step_mode, spike, detach_reset):
    net, x_seq = net_of(case, step_mode), sequence((3, 5))
    net[1].surrogate_function, net[1].detach_reset = spike, detach_reset
    x = x_seq if step_mode == "m" else x_seq[0]
    net(x).sum().backward()
    loss = net(x).sum()
    with (
        pytest.warns(UserWarning, match=r"Node '1': .*functional\.reset_net.*detach_net"),
        pytest.raises(RuntimeError, match="backward through the graph a second time"),
    ):
        loss.backward()


def test_a_forgotten_reset_is_announced_where_only_the_potential_is_used():
    net, x_seq = net_of(NEURONS[1]), sequence((3, 5))
    net(x_seq)
    net[1].v.sum().backward()
    net(x_seq)
    with (
        pytest.warns(UserWarning, match=r"reset_net"),
        pytest.raises(RuntimeError, match="backward through the graph a second time"),
    ):
        net[1].v.sum().backward()


@pytest.mark.parametrize("remedy", [functional.reset_net, functional.detach_net])
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_reset_and_detach_each_cure_it(case, remedy):
    net, x_seq = net_of(case), sequence((3, 5))
    for _ in range(3):
        net(x_seq).sum().backward()
        remedy(net)


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_a_graph_kept_alive_is_not_announced(case):
    net, x_seq = net_of(case), sequence((3, 5))
    net(x_seq).sum().backward(retain_graph=True)
    net(x_seq).sum().backward()


def test_steps_of_one_sequence_are_not_announced():
    net, x_seq = net_of(NEURONS[1], "s"), sequence((3, 5))
    sum(net(x).sum() for x in x_seq).backward()


def test_plain_checkpoint_of_a_stateful_module_is_refused():
    net, x_seq = net_of(NEURONS[1]), sequence((3, 5)).requires_grad_()
    loss = checkpoint(net, x_seq, use_reentrant=False).sum()
    message = r"LIFNode '1' runs inside a backward.*memory\.checkpoint"
    with pytest.raises(RuntimeError, match=message):
        loss.backward()


@pytest.mark.parametrize("v_reset", [torch.full((4,), -0.1), torch.tensor(-0.1)])
def test_memory_checkpoint_takes_tensors_as_reset_values(v_reset):
    x_seq = sequence((3, 4))
    nodes = [neuron.LIFNode(v_reset=v_reset, step_mode="m") for _ in range(2)]
    assert torch.equal(memory.checkpoint(nodes[0], x_seq), nodes[1](x_seq))
    assert torch.equal(nodes[0].v, nodes[1].v)


def test_memory_checkpoint_drops_what_was_recorded_before():
    node = neuron.IFNode(step_mode="m", store_v_seq=True)
    node(sequence((3,)))
    memory.checkpoint(node, sequence((3,)))
    assert node.v_seq is None


@pytest.mark.parametrize("step_mode", ["s", "m"])
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_memory_checkpoint_equals_the_plain_call(case, step_mode):
    x_seq = sequence((3, 5))
    results = []
    for run in (lambda net, x: net(x), memory.checkpoint):
        net, x = net_of(case, step_mode), x_seq.clone().requires_grad_()
        parts = x.split(3) if step_mode == "m" else x
        out = [run(net, part) for part in parts]
        (sum(o.sum() for o in out) + net[1].v.sum()).backward()
        results.append([*out, net[1].v, x.grad, *(p.grad for p in net.parameters())])
    for plain, recomputed in zip(*results, strict=True):
        assert torch.equal(plain, recomputed)


def test_functorch_transforms_are_refused_with_the_remedy():
    net, x_seq = net_of(NEURONS[0]), sequence((3, 5))
    with pytest.raises(RuntimeError, match="base.to_functional_forward"):
        torch.func.grad(lambda x: net(x).sum())(x_seq)
    with pytest.raises(RuntimeError, match="'1' keeps its state inside"):
        torch.vmap(net)(x_seq)
    assert net[1].v == 0.0


def test_the_functional_form_serves_functorch():
    net, x_seq = net_of(NEURONS[0]), sequence((3, 5))
    run = base.to_functional_forward(net)
    grad = torch.func.grad(lambda x: run((x,), (0.0,))[0][0].sum())(x_seq)
    x = x_seq.clone().requires_grad_()
    net(x).sum().backward()
    torch.testing.assert_close(grad, x.grad)


def test_a_data_parallel_replica_runs_sequences_only():
    node = neuron.IFNode(step_mode="m")
    node.store_v_seq = True
    replica = node._replicate_for_data_parallel()
    x_seq = sequence((4,))
    expected = replica(x_seq)
    assert node.v == 0.0
    assert node.v_seq is None
    assert torch.equal(node(x_seq), expected)
    with pytest.raises(RuntimeError, match=r"IFNode carries a state.*DistributedDataParallel"):
        node._replicate_for_data_parallel()
    node.reset()
    node.step_mode = "s"
    with pytest.raises(RuntimeError, match=r"replica made by nn\.DataParallel.*set_step_mode"):
        node._replicate_for_data_parallel()(x_seq[0])

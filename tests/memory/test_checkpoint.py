"""Recomputation leaves the same gradients, states and buffers, and keeps next to nothing."""

import copy

import pytest
import torch
from cases import NEURONS
from torch import nn

from spikeframe import functional, layer, memory, surrogate

LIF = NEURONS[1]


def block(channels=2, **options):
    torch.manual_seed(0)
    node = LIF(surrogate_function=surrogate.ATan(), v_threshold=0.5)
    conv = layer.Conv2d(channels, 3, 3, padding=1)
    net = nn.Sequential(conv, layer.BatchNorm2d(3, **options), node, layer.Dropout(0.2))
    functional.set_step_mode(net.double(), "m")
    return net


def inputs(T=4, channels=2):
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.randn(T, 3, channels, 5, 5, generator=generator, dtype=torch.float64)


def results(net, run):
    x = inputs().requires_grad_()
    torch.manual_seed(2)
    y = run(net, x)
    y.square().sum().backward()
    states = functional.get_states(net).values()
    return [y, x.grad, *(p.grad for p in net.parameters()), *states, *net.buffers()]


def nested(net, x):
    return memory.checkpoint(nn.Sequential(nn.Identity(), memory.Checkpointed(*net)), x)


@pytest.mark.parametrize(
    "run",
    [memory.checkpoint, lambda net, x: memory.Checkpointed(*net)(x), nested],
    ids=["function", "module", "nested"],
)
@pytest.mark.parametrize("momentum", [0.1, None])
def test_checkpoint_equals_the_plain_call(run, momentum):
    expected = results(block(momentum=momentum), lambda net, x: net(x))
    found = results(block(momentum=momentum), run)
    assert len(found) == len(expected)
    for ours, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, reference, rtol=0, atol=0)


def test_statistics_count_each_batch_once():
    net = block()
    memory.checkpoint(net, inputs().requires_grad_()).sum().backward()
    assert net[1].num_batches_tracked == 1


def test_several_checkpoints_in_a_row_and_a_carried_state():
    class Deep(nn.Module):
        def __init__(self, run):
            super().__init__()
            self.blocks = nn.ModuleList([block(), block(3)])
            self.run = run

        def forward(self, x):
            for part in self.blocks:
                x = self.run(part, x)
            return x

    nets = [Deep(memory.checkpoint), Deep(lambda net, x: net(x))]
    outputs = []
    for net in nets:
        x = inputs(6).requires_grad_()
        torch.manual_seed(3)
        y = torch.cat([net(chunk) for chunk in x.split(2)])
        y.square().sum().backward()
        outputs.append([y, x.grad, *(p.grad for p in net.parameters())])
    for ours, reference in zip(*outputs, strict=True):
        torch.testing.assert_close(ours, reference, rtol=0, atol=0)


def test_a_checkpoint_in_a_folded_model_knows_of_time():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = block()
            functional.set_step_mode(self.part, "s")

        def forward(self, x):
            return memory.checkpoint(self.part, x)

    folded = layer.MultiStep(Model())
    expected = results(block(), lambda net, x: net(x))
    x = inputs().requires_grad_()
    torch.manual_seed(2)
    y = folded(x)
    y.square().sum().backward()
    for ours, reference in zip((y, x.grad), expected, strict=False):
        torch.testing.assert_close(ours, reference)


@pytest.mark.parametrize("steps", [1, 3, 9])
def test_chunks_equal_one_call(steps):
    nets = [block().eval() for _ in range(2)]
    outputs = []
    runs = (lambda net, x: net(x), lambda net, x: memory.checkpoint_chunks(net, x, steps))
    for net, run in zip(nets, runs, strict=True):
        x = inputs(7).requires_grad_()
        y = run(net, x)
        y.square().sum().backward()
        outputs.append([y, x.grad, *(p.grad for p in net.parameters()), net[2].v])
    for ours, reference in zip(*outputs, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-12, atol=1e-12)


def test_chunks_are_counted_in_whole_steps():
    with pytest.raises(ValueError, match="steps must be an int of at least 1, got 0"):
        memory.checkpoint_chunks(block(), inputs(), 0)
    with pytest.raises(ValueError, match="at least one step"):
        memory.checkpoint_chunks(block(), inputs()[:0], 2)


def test_without_gradients_nothing_is_recomputed():
    net, calls = memory.Checkpointed(*block()), []
    net[0].register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        expected = net(inputs())
    assert not expected.requires_grad
    assert calls == [1]


def test_keyword_arguments_and_several_outputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = block().eval()

        def forward(self, x, *, scale):
            y = self.part(x)
            return y * scale, y.sum()

    net, x = Two(), inputs().requires_grad_()
    y, total = memory.checkpoint(net, x, scale=torch.tensor(2.0, dtype=torch.float64))
    (y.sum() + total).backward()
    functional.reset_net(net)
    plain = inputs().requires_grad_()
    expected, expected_total = net(plain, scale=2.0)
    (expected.sum() + expected_total).backward()
    torch.testing.assert_close((y, total, x.grad), (expected, expected_total, plain.grad))


def test_what_is_kept_is_the_spikes_as_bits():
    torch.manual_seed(0)
    nets = nn.Sequential(block(), block(3), block(3))
    for part in nets:
        del part[3]
    deep = nn.Sequential(*(memory.Checkpointed(*part) for part in nets))
    x = inputs().requires_grad_()
    plain, kept = memory.report(nets, x), memory.report(deep, x)
    spikes = 4 * 3 * 3 * 25
    assert kept.bytes == 2 * -(-spikes // 8)
    assert plain.bytes > 100 * kept.bytes
    norms = nn.Sequential(*(nn.Sequential(n[0], memory.Checkpointed(*n[1:])) for n in nets))
    with memory.packed_spikes():
        kept = memory.report(norms, x)
    assert kept.bytes == 3 * spikes * 8 + 2 * -(-spikes // 8)


def test_copies_of_a_checkpointed_net_are_independent():
    net = memory.Checkpointed(*block()).eval()
    twin = copy.deepcopy(net)
    assert torch.equal(net(inputs()), twin(inputs()))
    assert list(net.state_dict()) == list(block().state_dict())

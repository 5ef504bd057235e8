"""What surrounds a step is part of it: a node with a frame of its own runs by its own lines."""

import pytest
import torch

from spikeframe import kernels, neuron


class Louder(neuron.LIFNode):
    """Doubles what its steps give."""

    def eager_step(self, x, *inputs):
        return 2.0 * super().eager_step(x, *inputs)


class Coarse(neuron.LIFNode):
    """Reads its inputs rounded."""

    def in_state_precision(self, x):
        return super().in_state_precision(x).round()


class Long(neuron.Leaky):
    """Would run as a scan."""

    def eager_step(self, x, *inputs):
        return 2.0 * super().eager_step(x, *inputs)


X_SEQ = torch.rand(5, 40, generator=torch.Generator().manual_seed(0)) * 3
CLOSE = torch.rand(5, 40, generator=torch.Generator().manual_seed(1)) + 0.6


def spikes(cls, x_seq=X_SEQ, **options):
    return cls(step_mode="m", **options)(x_seq)


@pytest.mark.parametrize("name", ["torch", "cpp"])
def test_a_frame_of_its_own_keeps_a_node_from_kernels(name):
    for cls, method in ((Louder, "eager_step"), (Coarse, "in_state_precision")):
        reason = f"its {method} is its own, which only a loop of its lines calls"
        assert kernels.why_not(cls(), name) == reason
        with pytest.raises(RuntimeError, match=reason):
            spikes(cls, backend=name)


def test_a_frame_of_its_own_counts_in_both_step_modes():
    assert torch.equal(spikes(Louder), 2.0 * spikes(neuron.LIFNode))
    assert torch.equal(spikes(Coarse), spikes(neuron.LIFNode, X_SEQ.round()))
    assert not torch.equal(spikes(Coarse), spikes(neuron.LIFNode))
    stepping = Louder()
    assert torch.equal(torch.stack([stepping(x) for x in X_SEQ.repeat(8, 1)])[:5], spikes(Louder))


@pytest.mark.parametrize("mode", ["m", "s"])
def test_a_frame_that_is_put_there_later_counts_from_then_on(mode):
    node = neuron.LIFNode(step_mode=mode)

    def run():
        node.reset()
        return node(CLOSE) if mode == "m" else torch.stack([node(x) for x in CLOSE.repeat(8, 1)])

    usual = [run() for _ in range(4)][-1]
    step = node.eager_step
    node.eager_step = lambda x: 2.0 * step(x)
    assert torch.equal(run(), 2.0 * usual)
    del node.eager_step
    assert torch.equal(run(), usual)
    assert usual.any()


def test_a_frame_of_its_own_is_no_scan():
    x_seq = CLOSE.repeat(20, 1)
    options = {"beta": 0.5, "reset_mechanism": "none"}
    assert torch.equal(
        spikes(Long, x_seq, **options), 2.0 * spikes(neuron.Leaky, x_seq, **options)
    )

"""The LSTM cells that fire: against torch's, and their own arguments."""

import pytest
import torch
from cases import sequence
from torch import nn
from torch.nn import functional as F

from spikeframe import functional, neuron


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_a_cell_is_torchs_and_its_hidden_state_fires(reset):
    torch.manual_seed(0)
    node = neuron.SLSTM(3, 4, threshold=0.1, reset_mechanism=reset, step_mode="m")
    x_seq = 3 * sequence((5, 3), T=8)
    cell = nn.LSTMCell(3, 4)
    cell.load_state_dict(node.lstm_cell.state_dict())
    h, c = torch.zeros(5, 4), torch.zeros(5, 4)
    expected = []
    for x in x_seq:
        r = (h > 0.1).float()
        h, c = cell(x, (h, c))
        h = {"subtract": h - r * 0.1, "zero": (1 - r) * h, "none": h}[reset]
        expected.append((h > 0.1).float())
    spikes = node(x_seq)
    assert torch.equal(spikes, torch.stack(expected))
    assert 0 < spikes.mean() < 1
    assert torch.equal(node.mem, h)
    assert torch.equal(node.syn, c)
    spikes.sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in node.parameters())


@pytest.mark.parametrize("kind", ["max_pool", "avg_pool", None])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_a_convolutional_cell_by_its_equations(reset, kind):
    torch.manual_seed(0)
    pooling = {kind: 2} if kind else {}
    node = neuron.SConv2dLSTM(2, 3, (3, 5), threshold=0.1, reset_mechanism=reset, **pooling)
    node.step_mode = "m"
    x_seq = 3 * sequence((2, 2, 6, 7), T=6)
    mem, syn = torch.zeros(2, 3, 6, 7), torch.zeros(2, 3, 6, 7)
    expected = []
    for x in x_seq:
        r = (mem > 0.1).float()
        gates = F.conv2d(torch.cat([x, mem], 1), node.conv.weight, node.conv.bias, padding=(1, 2))
        i, f, o, g = gates.split(3, dim=1)
        syn = f.sigmoid() * syn + i.sigmoid() * g.tanh()
        mem = o.sigmoid() * syn.tanh()
        mem = {"subtract": mem - r * 0.1, "zero": (1 - r) * mem, "none": mem}[reset]
        pool = {"max_pool": F.max_pool2d, "avg_pool": F.avg_pool2d}.get(kind)
        expected.append(((pool(mem, 2) if pool else mem) > 0.1).float())
    spikes = node(x_seq)
    assert torch.equal(spikes, torch.stack(expected))
    assert 0 < spikes.mean() < 1
    assert torch.allclose(node.mem, mem, atol=1e-6)


CELLS = {
    "SLSTM": (lambda **k: neuron.SLSTM(3, 4, threshold=0.1, **k), (5, 3)),
    "SConv2dLSTM": (
        lambda **k: neuron.SConv2dLSTM(2, 3, 3, max_pool=2, threshold=0.1, **k),
        (2, 2, 6, 6),
    ),
}


@pytest.mark.parametrize("cell", CELLS)
def test_steps_equal_the_sequence_and_states_keep_their_own_shape(cell):
    make, size = CELLS[cell]
    single, multi = make(), make(step_mode="m", store_state_seqs=True)
    single.load_state_dict(multi.state_dict())
    x_seq = 3 * sequence(size)
    outputs = torch.stack([single(x) for x in x_seq])
    assert torch.equal(outputs, multi(x_seq))
    assert torch.equal(multi.state_seqs["syn"][-1], single.syn)
    assert torch.equal(multi.mem_seq[-1], single.mem)
    with pytest.raises(ValueError, match="mem has shape .* but the input is .*reset_net"):
        single(x_seq[0][:1])
    functional.reset_net(single)
    assert torch.equal(single(x_seq[0]), outputs[0])
    half = make(step_mode="m").to(torch.bfloat16)
    assert half(x_seq.to(torch.bfloat16)).dtype == torch.bfloat16
    assert half.mem.dtype == torch.float32


@pytest.mark.parametrize("cell", CELLS)
def test_states_are_quantised_and_the_winner_takes_all(cell):
    make, size = CELLS[cell]
    node = make(step_mode="m", state_quant=lambda s: (4 * s).round() / 4, inhibition=True)
    spikes = node(3 * sequence(size, T=5))
    assert torch.equal((4 * node.syn).round(), 4 * node.syn)
    assert spikes.flatten(2).sum(2).max() == 1


def test_bad_arguments_say_what_is_allowed():
    with pytest.raises(ValueError, match="give max_pool or avg_pool, got both: max_pool=2, avg_p"):
        neuron.SConv2dLSTM(1, 2, 3, max_pool=2, avg_pool=2)
    with pytest.raises(ValueError, match="kernel_size must be odd"):
        neuron.SConv2dLSTM(1, 2, 4)
    with pytest.raises(TypeError, match="SConv2dLSTM takes no reset_delay, which is True"):
        neuron.SConv2dLSTM(1, 2, 3, reset_delay=False)
    with pytest.raises(ValueError, match="hidden_size must be an int of at least 1, got -4"):
        neuron.SLSTM(3, -4)
    with pytest.raises(TypeError, match="out_channels must be an int of at least 1, got 2.0"):
        neuron.SConv2dLSTM(1, 2.0, 3)

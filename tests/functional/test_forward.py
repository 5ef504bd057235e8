"""Ways to run a net over a sequence agree with each other."""

import pytest
import torch
from cases import NEURONS, sequence
from torch import nn

from spikeframe import functional, layer, neuron


def net_of(case, step_mode):
    torch.manual_seed(0)
    net = nn.Sequential(layer.Linear(5, 4), case(), layer.Linear(4, 3), case()).double()
    for linear in (net[0], net[2]):
        linear.weight.data.abs_()  # so that the second neurons fire too
    functional.set_step_mode(net, step_mode)
    return net


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_step_by_step_equals_layer_by_layer(case):
    x_seq = sequence((3, 5), dtype=torch.float64) * 3
    expected = net_of(case, "m")(x_seq)
    assert expected.sum() > 0
    looped = net_of(case, "s")
    assert torch.equal(torch.stack([looped(x) for x in x_seq]), expected)
    assert torch.equal(functional.multi_step_forward(x_seq, net_of(case, "s")), expected)
    listed = list(net_of(case, "s"))
    assert torch.equal(functional.multi_step_forward(x_seq, listed), expected)
    for split_size in (1, 3, 10):
        chunks = functional.chunk_multi_step_forward(split_size, x_seq, net_of(case, "m"))
        assert torch.equal(chunks, expected)
    last = functional.t_last_multi_step_forward(x_seq.movedim(0, -1), net_of(case, "s"))
    assert torch.equal(last.movedim(-1, 0), expected)


def test_gradients_agree_too():
    grads = []
    for step_mode in "sm":
        net = net_of(NEURONS[3], step_mode)
        x_seq = (sequence((3, 5), dtype=torch.float64) * 3).requires_grad_()
        out = net(x_seq) if step_mode == "m" else functional.multi_step_forward(x_seq, net)
        out.sum().backward()
        grads.append([x_seq.grad, *(p.grad for p in net.parameters())])
    for single, multi in zip(*grads, strict=True):
        torch.testing.assert_close(single, multi, rtol=1e-12, atol=1e-12)


def test_folding_time_equals_the_loop_for_stateless_modules():
    conv, x_seq = nn.Conv2d(2, 3, 3).double(), sequence((2, 2, 5, 5), dtype=torch.float64)
    expected = torch.stack([conv(x) for x in x_seq])
    folded = functional.seq_to_ann_forward(x_seq, conv)
    torch.testing.assert_close(folded, expected, rtol=1e-12, atol=1e-12)
    listed = functional.seq_to_ann_forward(x_seq, [conv, nn.Flatten()])
    torch.testing.assert_close(listed, expected.flatten(2), rtol=1e-12, atol=1e-12)
    last = functional.t_last_seq_to_ann_forward(x_seq.movedim(0, -1), conv)
    torch.testing.assert_close(last.movedim(-1, 0), expected, rtol=1e-12, atol=1e-12)


def test_folding_takes_several_inputs_and_outputs():
    x_seq, y_seq = sequence((2, 3)), sequence((2, 4), seed=1)
    total, pair = functional.seq_to_ann_forward((x_seq, y_seq), lambda x, y: (x.sum(1), (x, y)[1]))
    assert torch.equal(total, x_seq.sum(2))
    assert torch.equal(pair, y_seq)
    with pytest.raises(ValueError, match=r"of equal T and N, got \[\[7, 2, 3\], \[7, 5, 4\]\]"):
        functional.seq_to_ann_forward((x_seq, sequence((5, 4))), torch.add)
    with pytest.raises(ValueError, match=r"\[T, N, \*\].*got \[\[7\]\]"):
        functional.seq_to_ann_forward(sequence(()), nn.Identity())


def test_folding_refuses_what_remembers():
    net = nn.Sequential(nn.Linear(5, 4), neuron.LIFNode())
    with pytest.raises(ValueError, match=r"must be stateless, got 1 \(LIFNode\): take it out"):
        functional.seq_to_ann_forward(sequence((3, 5)), net)
    with pytest.raises(ValueError, match=r"stateless, got itself \(IFNode\)"):
        functional.seq_to_ann_forward(sequence((3, 5)), [nn.Identity(), neuron.IFNode()])


def test_the_wrong_step_mode_is_refused():
    with pytest.raises(ValueError, match=r"step_mode 'm': 1 \(IFNode\)\. Set theirs to 's'"):
        functional.multi_step_forward(
            sequence((5,)), nn.Sequential(nn.Identity(), neuron.IFNode(step_mode="m"))
        )
    with pytest.raises(ValueError, match=r"step_mode 's': itself \(IFNode\)\. Set theirs"):
        functional.chunk_multi_step_forward(2, sequence((5,)), neuron.IFNode())


@pytest.mark.parametrize("split_size", [0, -1, 1.5, True, "2"])
def test_a_split_size_is_a_positive_int(split_size):
    with pytest.raises(ValueError, match="split_size must be an int of at least 1, got"):
        functional.chunk_multi_step_forward(split_size, sequence((5,)), nn.Identity())


def test_a_sequence_needs_steps_and_dimensions():
    with pytest.raises(ValueError, match="got T=0"):
        functional.multi_step_forward(torch.zeros(0, 3), neuron.IFNode())
    with pytest.raises(ValueError, match=r"time last is \[N, \*, T\], got \[3\]"):
        functional.t_last_multi_step_forward(torch.zeros(3), neuron.IFNode())

"""How the tensors of a call lie in memory."""

import pytest
import torch
from spikeframe.kernels.layout import Layout


def images(*shape):
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)


@pytest.mark.parametrize("shape", [(4,), (4, 0), (4, 1), (4, 3, 5), (4, 2, 3, 2, 2)])
def test_contiguous_sequences_are_taken_as_they_are(shape):
    x_seq = images(*shape)
    layout = Layout(x_seq)
    assert layout.match(x_seq) is x_seq
    assert layout.flat(x_seq).shape == (4, x_seq[0].numel())
    assert torch.equal(layout.flat(x_seq).flatten(), x_seq.flatten())


def test_channels_last_is_kept():
    x_seq = images(4, 2, 3, 5, 7).flatten(0, 1).to(memory_format=torch.channels_last)
    x_seq = x_seq.unflatten(0, (4, 2))
    layout = Layout(x_seq)
    assert layout.match(x_seq) is x_seq
    made = layout.sequence().copy_(x_seq)
    assert made.stride() == x_seq.stride()
    assert torch.equal(layout.flat(made)[1], x_seq[1].permute(0, 2, 3, 1).flatten())


def test_every_second_step_is_not_copied_and_every_second_neuron_is():
    x_seq = images(8, 3, 4)
    assert Layout(x_seq[::2]).match(x_seq[::2]) is not None
    assert Layout(x_seq[::2]).match(x_seq[::2]).data_ptr() == x_seq.data_ptr()
    sliced = x_seq[..., ::2]
    layout = Layout(sliced)
    matched = layout.match(sliced)
    assert matched.is_contiguous()
    assert torch.equal(matched, sliced)


def test_an_expanded_sequence_is_read_once():
    x = images(1, 3, 4)
    layout = Layout(images(5, 3, 4))
    for once in (x, x.transpose(1, 2).contiguous().transpose(1, 2)):
        matched = layout.match(once.expand(5, 3, 4))
        assert matched.stride(0) == 0
        assert torch.equal(matched, x.expand(5, 3, 4))
    assert layout.zeros().stride(0) == 0
    assert not layout.zeros().any()


def test_one_value_a_step_lies_in_a_line():
    layout, gains = Layout(images(5, 3, 4)), images(5, 1, 1)
    for given in (gains, gains.double(), gains.flip(0)[:1].expand(5, 1, 1)):
        lines = layout.match_line(given.expand(5, 3, 4), 16)
        assert layout.has_lines(lines)
        assert lines.dtype == torch.float32
        assert lines.stride() == (16, 0, 0)
        assert torch.equal(lines, given.float().expand(5, 3, 4))
        assert torch.equal(lines.as_strided((5, 16), (16, 1)), given.float()[:, 0].expand(5, 16))
    per_column = images(5, 1, 4).expand(5, 3, 4)
    assert not layout.has_lines(per_column)
    assert torch.equal(layout.match_line(per_column, 16), per_column)
    alone = images(5, 1, 1)
    assert Layout(alone).match_line(alone, 16) is alone


@pytest.mark.parametrize("kind", ["value", "bit"])
def test_what_was_saved_is_read_step_after_step(kind):
    x_seq = images(9, 2, 3, 5, 7).flatten(0, 1).to(memory_format=torch.channels_last)
    layout = Layout(x_seq.unflatten(0, (9, 2)))
    saved = layout.saved(kind)
    saved.copy_(images(*saved.shape))
    assert layout.match_saved(kind, saved) is saved
    apart = torch.stack((saved, saved), 1)[:, 0]
    for other in (saved.contiguous(), apart, apart[:1].expand(saved.shape)):
        found = layout.match_saved(kind, other)
        assert found.stride() == saved.stride()
        assert found.dtype == saved.dtype
        assert torch.equal(found, other)
    if kind == "value":
        assert torch.equal(layout.match_saved(kind, saved.double()), saved)


def test_states_are_float32_or_float64():
    for dtype, precision in ((torch.float16, torch.float32), (torch.float64, torch.float64)):
        layout = Layout(images(2, 3).to(dtype))
        assert layout.sequence().dtype == dtype
        assert layout.step().dtype == precision
        assert layout.match_step(images(3)).dtype == precision


PARAMETERS = {
    **{str(n): images(*n) for n in ((), (1,), (5,), (3, 1), (3, 5), (2, 1, 1), (2, 3, 5))},
    "expanded to rows": images(3, 1).expand(3, 5),
    "expanded to columns": images(5).expand(3, 5),
    "expanded in the middle": images(2, 1, 5).expand(2, 3, 5),
    "expanded at both ends": images(3, 1).expand(2, 3, 5),
    "a number expanded": images().expand(2, 3, 5),
    "transposed": images(5, 3).mT,
}


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=PARAMETERS)
def test_a_parameter_is_found_by_its_index(parameter):
    for x_seq in (images(4, 2, 3, 5), images(4, 2, 5, 3).transpose(2, 3)):
        layout = Layout(x_seq)
        values, inner, size = layout.index(parameter)
        memory = values.as_strided((values.numel(),), (1,))
        found = [memory[i // inner % size].item() for i in range(layout.size)]
        spread = layout.step().copy_(parameter.expand(layout.shape))
        assert found == layout.flat_step(spread).tolist()


def test_a_view_that_negates_is_copied():
    x_seq, layout = images(2, 3, 4), Layout(images(2, 3, 4))
    for made in (
        layout.match(torch._neg_view(x_seq)),
        layout.match_step(torch._neg_view(x_seq[0])),
    ):
        assert not made.is_neg()
    assert torch.equal(layout.match(torch._neg_view(x_seq)), -x_seq)
    assert torch.equal(layout.match_step(torch._neg_view(x_seq[0])), -x_seq[0])
    assert torch.equal(layout.index(torch._neg_view(x_seq[0, 0]))[0].flatten(), -x_seq[0, 0])


def test_a_number_is_the_state_of_all_neurons():
    step = Layout(images(2, 3, 4)).match_step(-0.25)
    assert torch.equal(step, torch.full((3, 4), -0.25))

"""Folding copies only where it must; a static sequence leads back to its step."""

import pytest
import torch

from spikeframe.functional.sequence import fold, is_static, one_step, repeat, unfold

SHAPE = (4, 3, 2, 5, 5)


def test_fold_and_unfold_are_views():
    x_seq = torch.rand(SHAPE)
    folded = fold(x_seq)
    assert folded.shape == (12, 2, 5, 5)
    assert folded.data_ptr() == x_seq.data_ptr()
    again = unfold(folded, x_seq)
    assert again.data_ptr() == x_seq.data_ptr()
    assert torch.equal(again, x_seq)


def test_fold_keeps_channels_last_without_a_copy():
    x = torch.rand(12, *SHAPE[2:]).to(memory_format=torch.channels_last)
    folded = fold(x.unflatten(0, (4, 3)))
    assert folded.data_ptr() == x.data_ptr()
    assert folded.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "variant",
    [
        lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
        lambda x: torch.cat([x, x], 1)[:, :3],
        lambda x: x[:, ::2],
        lambda x: x[:, 1:2],
        lambda x: x[1:2, 1:],
    ],
)
def test_fold_of_any_strides_is_right(variant):
    x_seq = variant(torch.rand(SHAPE))
    assert torch.equal(fold(x_seq), x_seq.reshape(-1, *SHAPE[2:]))


def test_fold_of_a_part_keeps_channels_last():
    x = torch.rand(24, *SHAPE[2:]).to(memory_format=torch.channels_last)
    for x_seq in (x.unflatten(0, (4, 6))[:, :3], x.unflatten(0, (6, 4)).transpose(0, 1)):
        folded = fold(x_seq)
        assert folded.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(folded, x_seq.reshape(-1, *SHAPE[2:]))


def test_static_is_an_expanded_view_of_more_than_one_step():
    x = torch.rand(3, 2)
    assert is_static(x.expand(4, 3, 2))
    assert is_static(x[0, 0].expand(4))
    assert not is_static(x.expand(4, 3, 2)[:1])
    assert not is_static(x.repeat(4, 1, 1))
    assert not is_static(x.unsqueeze(1).expand(3, 4, 2))


def test_repeat_is_static_for_tensors_and_tuples():
    x = torch.rand(3, 2)
    assert is_static(repeat(x, 4))
    assert torch.equal(repeat(x, 4), x.repeat(4, 1, 1))
    assert all(map(is_static, repeat((x, (x, x)), 4)[1]))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 1, 0, 2)])
def test_the_gradient_of_what_is_repeated_lies_as_it_does(order):
    stored = torch.rand(3, 4, 5, 2, dtype=torch.double)
    leaf = stored.permute([order.index(i) for i in range(4)]).requires_grad_()
    x = leaf * 1
    grads = []
    x.register_hook(grads.append)
    x_seq = repeat(x, 6)
    assert is_static(x_seq)
    assert torch.equal(x_seq, x.expand(6, *x.shape))
    weights = torch.rand(6, 3, 4, 5, 2, dtype=torch.double)
    weights = weights.permute([0, *(order.index(i) + 1 for i in range(4))])
    (x_seq * weights).sum().backward()
    torch.testing.assert_close(grads[0], weights.sum(0))
    assert grads[0].stride() == x.stride()
    x = leaf * 1
    assert one_step(repeat(x, 6)) is x
    assert torch.autograd.gradgradcheck(
        lambda x: repeat(x, 2) ** 2, x.detach()[:1, :2, :2].requires_grad_()
    )


@pytest.mark.parametrize(
    "expand",
    [lambda x: x.expand(4, *x.shape), lambda x: x.unsqueeze(0).expand(4, -1, -1)],
    ids=["expand", "unsqueeze"],
)
def test_one_step_is_the_expanded_tensor_itself(expand):
    leaf = torch.rand(3, 2, requires_grad=True)
    inner = leaf * 2
    assert one_step(expand(leaf)) is leaf
    assert one_step(expand(inner)) is inner


def make_leaf(x):
    return x.detach().expand(4, 3, 2).requires_grad_()


def make_hooked(x):
    x_seq = x.expand(4, 3, 2)
    x_seq.register_hook(lambda grad: None)
    return x_seq


def make_retained(x):
    x_seq = x.expand(4, 3, 2)
    x_seq.retain_grad()
    return x_seq


def make_without_grad(x):
    with torch.no_grad():
        return x.expand(4, 3, 2)


def make_leaf_view(x):
    return make_without_grad(x).requires_grad_().expand(4, 3, 2)


@pytest.mark.parametrize(
    "make",
    [
        make_leaf,
        make_hooked,
        make_retained,
        make_without_grad,
        make_leaf_view,
        lambda x: x.detach().expand(4, 3, 2),
        lambda x: x[:1].expand(4, 3, 2),
        lambda x: x.expand(4, 5, 3, 2),
        lambda x: x.t().reshape(2, 3).t().expand(4, 3, 2),
        lambda x: x.expand(2, 4, 3, 2)[0],
    ],
)
def test_one_step_takes_no_shortcut_past_what_autograd_sees(make):
    x = torch.rand(3, 2, requires_grad=True)
    x_seq = make(x)
    step, expected = one_step(x_seq), x_seq[0]
    assert step is not x
    assert torch.equal(step, expected)
    assert step.requires_grad == expected.requires_grad
    for target in (x, x_seq):
        if target.requires_grad and expected.requires_grad:
            grads = [
                torch.autograd.grad(y.sum(), target, retain_graph=True, allow_unused=True)[0]
                for y in (step, expected)
            ]
            assert (grads[0] is None) is (grads[1] is None)
            assert grads[0] is None or torch.equal(*grads)


def test_backward_of_one_step_makes_no_sequence():
    """The gradient of a step of a long static sequence needs the memory of one step."""
    x = torch.rand(64, 64, requires_grad=True)
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        one_step(x.expand(512, 64, 64)).pow(2).sum().backward()
    largest = max(event.cpu_memory_usage for event in profile.function_events)
    assert largest <= 4 * x.numel() * x.element_size()
    torch.testing.assert_close(x.grad, 2 * x.detach())

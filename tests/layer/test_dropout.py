"""One mask per sample, held over time until the next reset, in both step modes alike."""

import copy
import pickle

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from spikeframe import base, functional, layer

KINDS = [layer.Dropout, layer.Dropout2d]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
STEP = (5, 16, 3, 3)


@each_kind
def test_dropout_step_by_step_equals_layer_by_layer(kind):
    x_seq = torch.rand(4, *STEP)
    variants = {
        "contiguous": x_seq,
        "batch first": x_seq.transpose(0, 1).contiguous().transpose(0, 1),
        "channels last": x_seq.flatten(0, 1)
        .to(memory_format=torch.channels_last)
        .unflatten(0, (4, 5)),
    }
    single, multi = kind(), kind(step_mode="m")
    for variant in variants.values():
        results = []
        for run in (lambda x: torch.stack([single(step) for step in x]), multi):
            torch.manual_seed(1)
            results.append(run(variant))
        assert torch.equal(*results)
        assert not torch.equal(results[0], x_seq)
        # The memory format says nothing about what is dropped.
        torch.manual_seed(1)
        multi.reset()
        assert torch.equal(multi(x_seq), results[0])
        functional.reset_net(single)
        functional.reset_net(multi)


@each_kind
@pytest.mark.parametrize("p", [0.0, 0.25, 1.0, 0, 1])
def test_dropout_scales_what_it_keeps(kind, p):
    dropout = kind(p, step_mode="m")
    y = dropout(torch.ones(3, 40, 50, 2, 1))
    values = set(y.unique().tolist())
    kept = {torch.tensor(1 / (1 - p)).item()} if p < 1 else set()
    assert values == kept | ({0.0} if p else set())
    share = (y == 0).float().mean().item()
    assert share == pytest.approx(p, abs=0.06)
    assert torch.equal(y[0], y[2])
    assert y.isfinite().all()


def test_dropout_2d_drops_whole_channels():
    dropout = layer.Dropout2d(0.5)
    assert layer.Dropout2d().p == 0.2
    y = dropout(torch.ones(STEP))
    assert torch.equal(y, y[:, :, :1, :1].expand(STEP))
    assert dropout.mask.shape == (5, 16, 1, 1)
    assert 0 < (y == 0).sum() < y.numel()


@each_kind
def test_dropout_mask_is_held_until_reset(kind):
    dropout = kind(0.5)
    assert dropout.mask is None
    first = dropout(torch.ones(STEP))
    mask = dropout.mask
    assert torch.equal(dropout(2 * torch.ones(STEP)), 2 * first)
    dropout.step_mode = "m"
    assert torch.equal(dropout(torch.ones(3, *STEP))[2], first)
    assert dropout.mask is mask
    functional.reset_net(dropout)
    assert dropout.mask is None
    dropout.step_mode = "s"
    assert not torch.equal(dropout(torch.ones(STEP)), first)


@each_kind
def test_dropout_in_eval_is_identity_without_a_draw(kind):
    dropout = kind().eval()
    x = torch.rand(STEP)
    state = torch.get_rng_state()
    assert dropout(x) is x
    assert torch.equal(torch.get_rng_state(), state)
    assert dropout.mask is None
    # Nothing is kept inside, so transforms are welcome.
    assert torch.equal(torch.func.vmap(kind().eval())(torch.ones(2, *STEP)), torch.ones(2, *STEP))
    with pytest.raises(RuntimeError, match="to_functional_forward"):
        torch.func.vmap(kind())(torch.ones(2, *STEP))


@each_kind
def test_dropout_of_a_static_sequence_is_static(kind):
    x = torch.rand(STEP, requires_grad=True)
    dropout = kind(0.5, step_mode="m")
    y = dropout(x.expand(4, *STEP))
    assert y.stride(0) == 0
    assert torch.equal(y, dropout(x.detach().repeat(4, 1, 1, 1, 1)))
    weight = torch.rand(4, *STEP)
    (y * weight).sum().backward()
    torch.testing.assert_close(x.grad, (weight * dropout.mask).sum(0))


@each_kind
def test_dropout_refuses_another_batch(kind):
    net = torch.nn.Sequential(torch.nn.Identity(), kind())
    net(torch.ones(STEP))
    mask = r"\[5, 16, 3, 3\]" if kind is layer.Dropout else r"\[5, 16, 1, 1\]"
    match = (
        rf"^{kind.__name__} '1': mask has shape {mask} but the input is \[1, 16, 3, 3\]: call "
        r"functional.reset_net\(net\)"
    )
    for mode, x in (("s", torch.ones(1, *STEP[1:])), ("m", torch.ones(2, 1, *STEP[1:]))):
        functional.set_step_mode(net, mode)
        with pytest.raises(ValueError, match=match):
            net(x)
    functional.reset_net(net)
    assert net(x).shape == x.shape


def test_dropout_refuses_a_broadcasting_step():
    dropout = layer.Dropout()
    dropout(torch.ones(5, 3))
    with pytest.raises(ValueError, match=r"mask has shape \[5, 3\] but the input is \[3\]"):
        dropout(torch.ones(3))
    other = layer.Dropout()
    other(torch.ones(5, 3))
    other.to("meta")
    with pytest.raises(RuntimeError, match="mask is on meta but the input is on cpu: move"):
        other(torch.ones(5, 3))


@pytest.mark.parametrize("shape", [(), (7,), (1, 7), (2, 3, 1, 2, 1, 3)])
def test_dropout_takes_any_rank(shape):
    assert layer.Dropout()(torch.ones(shape)).shape == shape
    assert layer.Dropout(step_mode="m")(torch.ones(4, *shape)).shape == (4, *shape)


def test_dropout_2d_refuses_other_ranks():
    with pytest.raises(
        ValueError, match=r"Dropout2d with step_mode 's' takes one step \[N, C, H, W"
    ):
        layer.Dropout2d()(torch.ones(4, *STEP))
    for training in (True, False):
        with pytest.raises(
            ValueError, match=r"'m' takes a sequence \[T, N, C, H, W\], got an input"
        ):
            layer.Dropout2d(step_mode="m").train(training)(torch.ones(STEP))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@each_kind
def test_dropout_keeps_the_dtype(kind, dtype):
    dropout = kind(0.25)
    x = torch.ones(STEP)
    first = dropout(x)
    y = dropout(x.to(dtype))
    assert y.dtype == dtype
    torch.testing.assert_close(y, first.to(dtype))
    dropout.reset()
    assert dropout(x.to(dtype)).dtype == dtype
    assert dropout.mask.dtype == dtype
    dropout.half()
    assert torch.equal(dropout(x) == 0, dropout.mask.expand(STEP) == 0)


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan"), 2])
def test_dropout_refuses_a_p_that_is_no_probability(p):
    with pytest.raises(ValueError, match="p must be from 0 to 1"):
        layer.Dropout(p)


@pytest.mark.parametrize("p", ["0.5", None, True, torch.tensor(0.5)])
def test_dropout_refuses_a_p_that_is_no_number(p):
    with pytest.raises(TypeError, match="p must be a number from 0 to 1"):
        layer.Dropout2d(p)


@each_kind
def test_dropout_survives_copies_and_prints(kind):
    dropout = kind(0.5, "m")
    y = dropout(torch.ones(2, *STEP))
    for twin in (copy.deepcopy(dropout), pickle.loads(pickle.dumps(dropout))):
        assert torch.equal(twin(torch.ones(2, *STEP)), y)
    assert repr(dropout) == f"{kind.__name__}(p=0.5, step_mode=m)"
    assert dropout.state_dict() == {}
    assert isinstance(dropout, base.MemoryModule)


def test_dropout_may_be_recomputed_in_a_checkpoint():
    dropout = layer.Dropout(0.5, step_mode="m")
    x = torch.rand(3, 4, 5, requires_grad=True)
    y = checkpoint(lambda x: dropout(x).pow(2), x, use_reentrant=False)
    y.sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach() * dropout.mask**2)


def test_dropout_refuses_a_sequence_without_steps():
    with pytest.raises(ValueError, match="at least one step"):
        layer.Dropout(step_mode="m")(torch.ones(0, 3))

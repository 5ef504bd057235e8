"""Linear, Flatten and Upsample: dimensions count from the step's."""

import pytest
import torch

from spikeframe import layer


def test_linear_takes_any_inner_dimensions():
    fc = layer.Linear(3, 5, step_mode="m")
    x_seq = torch.rand(4, 2, 1, 7, 3)
    assert fc(x_seq).shape == (4, 2, 1, 7, 5)
    with pytest.raises(ValueError, match=r"takes a sequence \[T, N, \*, F\], got .* \[2, 3\]"):
        fc(torch.rand(2, 3))
    fc.step_mode = "s"
    assert fc(x_seq[0, 0, 0, 0]).shape == (5,)
    with pytest.raises(ValueError, match=r"takes one step \[N, \*, F\] or \[F\], got .* \[\]"):
        fc(torch.rand(()))


def test_flatten_keeps_time_and_batch():
    x_seq = torch.rand(4, 2, 3, 5, 7)
    assert torch.equal(layer.Flatten(step_mode="m")(x_seq), x_seq.flatten(2))
    assert torch.equal(layer.Flatten(2, 3, step_mode="m")(x_seq), x_seq.flatten(3, 4))
    assert torch.equal(layer.Flatten(-2, -1, step_mode="m")(x_seq), x_seq.flatten(-2, -1))
    assert torch.equal(layer.Flatten()(x_seq[0]), x_seq[0].flatten(1))


@pytest.mark.parametrize("start_dim", [0, -4])
def test_flatten_of_the_batch_is_for_steps_only(start_dim):
    x_seq = torch.rand(4, 2, 3, 5, 7)
    assert layer.Flatten(start_dim)(x_seq[0]).shape == (210,)
    for sequence in (x_seq, x_seq[0].expand(4, 2, 3, 5, 7)):
        with pytest.raises(ValueError, match=f"keeps time and batch, got start_dim={start_dim} "):
            layer.Flatten(start_dim, step_mode="m")(sequence)


def test_flatten_of_channels_last_is_in_the_order_of_channels():
    x = torch.rand(8, 3, 5, 7).to(memory_format=torch.channels_last)
    y = layer.Flatten(step_mode="m")(x.unflatten(0, (4, 2)))
    assert torch.equal(y, x.clone(memory_format=torch.contiguous_format).view(4, 2, 105))


@pytest.mark.parametrize(
    ("kwargs", "step", "allowed"),
    [
        ({"scale_factor": 2, "mode": "linear"}, (2, 3, 5), "[T, N, C, L]"),
        ({"scale_factor": 2, "mode": "bicubic"}, (2, 3, 5, 5), "[T, N, C, H, W]"),
        ({"scale_factor": 2, "mode": "trilinear"}, (2, 3, 5, 5, 5), "[T, N, C, D, H, W]"),
        ({"size": (7, 6)}, (2, 3, 5, 5), "[T, N, C, H, W]"),
        ({"scale_factor": (2.0,)}, (2, 3, 5), "[T, N, C, L]"),
    ],
)
def test_upsample_knows_its_rank(kwargs, step, allowed):
    up = layer.Upsample(**kwargs, step_mode="m")
    x_seq = torch.rand(4, *step)
    single = layer.Upsample(**kwargs)
    torch.testing.assert_close(up(x_seq), torch.stack([single(x) for x in x_seq]))
    with pytest.raises(ValueError, match="takes a sequence") as error:
        up(x_seq[0])
    assert f"takes a sequence {allowed}, got" in str(error.value)


def test_upsample_of_any_rank():
    up = layer.Upsample(scale_factor=2, step_mode="m")
    for rank in (1, 2, 3):
        assert up(torch.rand(4, 2, 3, *[5] * rank)).shape == (4, 2, 3, *[10] * rank)
    with pytest.raises(ValueError, match=r"\[T, N, C, L\] or \[T, N, C, H, W\] or \[T, N, C, D"):
        up(torch.rand(4, 2, 3))

import torch

from spikeframe.cli import augment
from spikeframe.cli.augment import jitter


def jittered(images, seed=0):
    return jitter(images, torch.Generator().manual_seed(seed))


def test_jitter_is_drawn_from_the_generator_alone():
    images = torch.rand(5, 3, 8, 8)
    state = torch.get_rng_state()
    assert torch.equal(jittered(images), jittered(images))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(jittered(images), jittered(images, seed=1))


def test_jitter_stays_an_image():
    images = torch.rand(5, 3, 9, 6)
    changed = jittered(images)
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_jitter_of_nothing_changes_nothing(monkeypatch):
    for name in ("SHIFT", "TURN", "SCALE"):
        monkeypatch.setattr(augment, name, 0.0)
    images = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(jittered(images), images)


def test_jitter_moves_by_up_to_its_share_of_the_side(monkeypatch):
    monkeypatch.setattr(augment, "TURN", 0.0)
    monkeypatch.setattr(augment, "SCALE", 0.0)
    images = torch.zeros(400, 1, 33, 33)
    images[:, :, 16, 16] = 1
    moved = jittered(images)
    places = torch.arange(33.0) - 16
    for weights in (moved.sum(2), moved.sum(3)):
        shifts = (weights * places).sum((1, 2))
        assert shifts.abs().max() <= 33 * augment.SHIFT + 1e-3
        assert shifts.abs().max() > 33 * augment.SHIFT * 0.9
        assert shifts.mean().abs() < 0.2

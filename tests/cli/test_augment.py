import pytest
import torch

from spikeframe.cli import augment
from spikeframe.cli.augment import Share, jitter, mirror, move


def changed_by(change, samples, seed=0, **options):
    count = len(samples) if samples.dim() == 4 else samples.shape[1]
    generator = torch.Generator().manual_seed(seed)
    return change(samples, generator, Share(count), **options)


def jittered(images, seed=0):
    return changed_by(jitter, images, seed)


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


@pytest.mark.parametrize("reach", [1 / 8, 1 / 4])
def test_move_is_by_whole_pixels_up_to_its_reach(reach):
    x_seq = torch.zeros(3, 400, 2, 16, 24)
    x_seq[:, :, :, 8, 12] = torch.tensor([1.0, 2.0])
    moved = changed_by(move, x_seq, reach=reach)
    assert torch.equal(moved.sum((0, 3, 4)), x_seq.sum((0, 3, 4)))
    for size, middle, dim in ((16, 8, 3), (24, 12, 4)):
        places = (moved[0, :, 0].sum(5 - dim) * torch.arange(size)).sum(1) - middle
        assert places.abs().max() == round(size * reach)
        assert set(places.tolist()) == set(range(-round(size * reach), round(size * reach) + 1))


def test_move_is_that_of_a_padded_picture():
    x_seq = torch.rand(2, 5, 1, 6, 7)
    moved = changed_by(move, x_seq, reach=0.5)
    padded = torch.nn.functional.pad(x_seq, (7, 7, 6, 6))
    for n in range(5):
        windows = [
            padded[:, n, :, y : y + 6, x : x + 7] for y in range(3, 10) for x in range(3, 11)
        ]
        assert any(torch.equal(moved[:, n], window) for window in windows)


def test_one_row_is_moved_along_itself():
    x_seq = torch.rand(4, 50, 1, 1, 40)
    moved = changed_by(move, x_seq, reach=1 / 8)
    assert moved.shape == x_seq.shape
    assert not torch.equal(moved, x_seq)
    assert (moved[:, :, :, :, 5:-5].sum((0, 2, 3, 4)) > 0).all()


def test_mirror_flips_about_half(monkeypatch):
    monkeypatch.setattr(augment, "move", lambda x_seq, *_: x_seq.clone())
    x_seq = torch.rand(2, 200, 1, 5, 6)
    changed = changed_by(mirror, x_seq)
    kept = sum(torch.equal(changed[:, n], x_seq[:, n]) for n in range(200))
    flipped = sum(torch.equal(changed[:, n], x_seq[:, n].flip(-1)) for n in range(200))
    assert kept + flipped == 200
    assert 60 < kept < 140


@pytest.mark.parametrize("change", [jitter, move, mirror])
def test_parts_of_a_batch_are_changed_as_the_whole(change):
    """Processes that share a batch make of it what one would."""
    samples = torch.rand(7, 1, 16, 16) if change is jitter else torch.rand(3, 7, 1, 16, 16)
    whole = changed_by(change, samples)
    for rank in range(3):
        rows = slice(rank, None, 3)
        part = samples[rows] if change is jitter else samples[:, rows]
        generator = torch.Generator().manual_seed(0)
        changed = change(part, generator, Share(7, rows))
        torch.testing.assert_close(changed, whole[rows] if change is jitter else whole[:, rows])

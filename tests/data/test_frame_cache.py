import multiprocessing
import time
from functools import partial

import numpy as np
import pytest
import torch

from spikeframe.data import FrameCache


def refuse():
    raise AssertionError("it is kept already")


@pytest.fixture
def cache(tmp_path):
    return FrameCache(tmp_path / "frames")


@pytest.mark.parametrize(
    ("largest", "kind"), [(0, np.uint8), (255, np.uint8), (256, np.uint16), (70_000, np.float32)]
)
def test_kept_frames_equal_those_made(cache, largest, kind):
    frames = torch.arange(24.0).view(2, 3, 4) % 7
    frames[1, 2, 3] = largest
    assert torch.equal(cache.get("a", lambda: frames), frames)
    kept = cache.get("a", refuse)
    assert torch.equal(kept, frames)
    assert kept.dtype == torch.float32
    assert np.load(cache.path("a")).dtype == kind


def test_keys_tell_frames_apart(cache):
    keys = [("a", 1), ("a", 2), ("b", 1)]
    for i, key in enumerate(keys):
        cache.get(key, partial(torch.full, (1,), float(i)))
    assert [cache.get(key, refuse).item() for key in keys] == [0, 1, 2]


def test_no_frames_are_kept_too(cache):
    assert cache.get("a", lambda: torch.zeros(0, 2, 3)).shape == (0, 2, 3)
    assert cache.get("a", refuse).shape == (0, 2, 3)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:20], lambda b: b"", bytes])
def test_damaged_file_is_made_anew(cache, damage):
    frames = torch.ones(3, 4)
    cache.get("a", lambda: frames)
    path = cache.path("a")
    path.write_bytes(damage(path.read_bytes()) if damage is not bytes else bytes(200))
    assert torch.equal(cache.get("a", lambda: frames + 1), frames + 1)
    assert torch.equal(cache.get("a", refuse), frames + 1)


def test_failure_leaves_nothing_behind(cache, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        cache.get("a", lambda: torch.ones(2))
    assert list(cache.path("a").parent.iterdir()) == []


def slowly():
    time.sleep(0.01)
    return torch.full((50, 50), 3.0)


def work(folder, queue):
    cache = FrameCache(folder)
    queue.put(all(bool((cache.get(i % 5, slowly) == 3).all()) for i in range(20)))


def test_several_processes_use_one_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    workers = [context.Process(target=work, args=(tmp_path, queue)) for _ in range(4)]
    for worker in workers:
        worker.start()
    assert [queue.get() for _ in workers] == [True] * 4
    for worker in workers:
        worker.join()
    assert len(list(tmp_path.glob("*/*"))) == 5

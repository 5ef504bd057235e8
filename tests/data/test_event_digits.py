import numpy as np
import pytest
import torch

from spikeframe.data import FrameSet, Integration, event_digits, load_digits

pytest.importorskip("sklearn")


@pytest.mark.parametrize("options", [{"split": "writers"}, {"seed": 0}, {"seed": 3}])
def test_split_is_that_of_the_digits(options):
    for events, images in zip(event_digits(**options), load_digits(**options), strict=True):
        assert torch.equal(events.labels, images.labels)
        assert events.classes == images.classes
    assert (len(event_digits().train), len(event_digits().test)) == (1437, 360)


def test_a_digits_recording_does_not_depend_on_the_split():
    images = load_digits(split="writers").train.images
    own, _ = event_digits(split="writers").train[5]
    chosen = load_digits(seed=4)
    for data, part in zip(event_digits(seed=4), chosen, strict=True):
        for i in (part.images == images[5]).flatten(1).all(1).nonzero().flatten().tolist():
            assert np.array_equal(data[i][0], own)
            return
    pytest.fail("the digit is in neither part")


def test_recordings_show_their_digits():
    """The nearest mean picture of events tells most digits: they are of what is looked at."""
    train, test = event_digits(split="writers")
    whole = Integration(frames_number=1)
    counts = [FrameSet(data, whole)[:][0][0] for data in (train, test)]
    means = torch.stack([counts[0][train.labels == label].mean(0) for label in range(10)])
    nearest = torch.cdist(counts[1].flatten(1), means.flatten(1)).argmin(1)
    assert (nearest == test.labels).float().mean() > 0.6


def test_recordings_have_their_own_keys():
    data = event_digits().train
    keys = {recording.key() for recording in data.recordings}
    assert len(keys) == len(data)


def test_wrong_split_is_refused():
    with pytest.raises(ValueError, match="split must be 'random' or 'writers', got 'first'"):
        event_digits(split="first")

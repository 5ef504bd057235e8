"""Synthetic events: a simulated camera looks at scikit-learn's handwritten digits."""

__all__ = ["event_digits"]

import functools
from functools import partial

import numpy as np

from .digits import digit_order, read_digits
from .event_set import EventSet, Recording
from .images import Split
from .saccades import Camera, look

CAMERA = Camera()
SEED = 0  # of the recordings: they are the same ones in every split


def event_digits(*, split: str = "random", seed: int = 0) -> Split[EventSet]:
    """1797 recordings of a moving camera that looks at digits: 1437 to train, 360 to test.

    The digits are those of :func:`load_digits`, real handwriting of 8x8 pixels; the events are
    computed (:mod:`spikeframe.data.saccades`) and no camera has recorded them. The sensor has
    16x16 pixels, a recording lasts 300 ms and has some thousand events. They are made anew in
    each process, in two seconds, and are always the same.

    Arguments:
        split: `'random'` takes 360 digits by chance for the test, `'writers'` the last 360, which
            other people wrote.
        seed: Seed of the random split; the recordings do not depend on it.

    Raises:
        ImportError: scikit-learn is not installed or does not import.
        ValueError: split is neither of the two.

    References:
        | Converting Static Image Datasets to Spiking Neuromorphic Datasets Using Saccades
          (Orchard et al., 2015)
        | https://arxiv.org/abs/1507.07629

    Example:
        >>> train, test = event_digits(split="writers")
        >>> train
        EventSet(1437 recordings [2, 16, 16], 10 classes)
    """
    train, test = digit_order(split, seed)
    every = _recordings()
    return Split(every.take(train), every.take(test))


@functools.cache
def _recordings() -> EventSet:
    digits = read_digits()
    clips = look(digits.images[:, 0].numpy(), CAMERA, np.random.default_rng(SEED))
    recordings = [
        Recording(partial(_given, clip), partial("event-digits {} {}".format, CAMERA, i))
        for i, clip in enumerate(clips)
    ]
    return EventSet(recordings, digits.labels, digits.classes, (2, CAMERA.side, CAMERA.side))


def _given(clip: np.ndarray) -> np.ndarray:
    return clip

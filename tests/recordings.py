"""Recordings of random events, for the tests of everything that reads or counts them."""

from functools import partial

import numpy as np
import torch

from spikeframe.data import EventSet, Recording, make_events

__all__ = ["content", "counted", "event_set", "recording"]


def recording(n=500, sensor=(2, 5, 7), span=10_000, seed=0, start=0):
    """Sorted events with ties, on a sensor (C, H, W), some of them at both ends of the span."""
    rng = np.random.default_rng(seed)
    polarities, height, width = sensor
    t = np.sort(rng.integers(0, span + 1, n))
    t[:2], t[-2:] = 0, span
    return make_events(
        start + t,
        rng.integers(0, width, n),
        rng.integers(0, height, n),
        rng.integers(0, polarities, n),
    )


def content(events):
    """What two recordings are compared by in sets and dicts."""
    return tuple(events.tolist())


def counted(events, cut, sensor):
    """Frames event by event: the definition."""
    frames = np.zeros((len(cut) - 1, *sensor))
    for frame, first, last in zip(frames, cut[:-1], cut[1:], strict=True):
        for event in events[first:last]:
            frame[event["p"], event["y"], event["x"]] += 1
    return frames


def event_set(n=6, classes=("a", "b"), sensor=(2, 5, 7)):
    """Recordings of 20, 21, ... events."""
    recordings = [
        Recording(partial(recording, 20 + i, sensor, seed=i), partial("{}".format, i))
        for i in range(n)
    ]
    return EventSet(recordings, torch.arange(n) % len(classes), classes, sensor)

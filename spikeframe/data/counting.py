"""Counts events into frames: as C++ for long recordings, by numpy for short ones.

Both give the same whole numbers. The C++ is one pass over the events, and is built once by the
system's compiler and kept in the kernels' cache; where there is none, numpy counts all lengths.
"""

__all__ = ["CPP", "NUMPY", "check_events", "count"]

import ctypes
import functools
import math
import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..kernels.build import BuildError, load
from .events import Sensor, check_order

# From here on C++ is faster by more than its call costs (a library in the cache is loaded in
# some milliseconds, once).
LONG = 1 << 16
# Events that numpy counts at a time: its temporary arrays stay in the cache.
CHUNK = 1 << 16
# A float32 counts exactly up to here.
EXACT = 1 << 24

SOURCE = r"""
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

struct Event { int64_t t; uint16_t x, y; uint8_t p; };

// Events whose places are worked out together, by vectors: 1.35 times faster than one by one.
constexpr int64_t BLOCK = 64;
// Events from a block to the one that is fetched meanwhile, 4 KiB on: what a call takes is mostly
// to read 16 bytes an event. An address past the end is no error of a prefetch.
constexpr int64_t AHEAD = 256, PER_LINE = 4;

// Slices first to last; the position of a block with an event out of order or off the sensor.
static int64_t slices(const Event *events, const int64_t *cut, int64_t first, int64_t last,
                      uint32_t C, uint32_t H, uint32_t W, float *frames) {
  const int64_t size = int64_t(C) * H * W;
  int64_t before = cut[first] > 0 ? events[cut[first] - 1].t : INT64_MIN;
  uint32_t place[BLOCK];
  for (int64_t s = first; s < last; ++s) {
    float *frame = frames + s * size;
    std::memset(frame, 0, size * sizeof(float));
    for (int64_t i = cut[s]; i < cut[s + 1]; i += BLOCK) {
      const Event *block = events + i;
      for (int64_t k = 0; k < BLOCK; k += PER_LINE) __builtin_prefetch(block + AHEAD + k);
      const int64_t n = std::min(BLOCK, cut[s + 1] - i);
      uint64_t wrong = block[0].t < before;
      for (int64_t k = 1; k < n; ++k) wrong |= block[k].t < block[k - 1].t;
      for (int64_t k = 0; k < n; ++k) {
        uint64_t fields;
        std::memcpy(&fields, &block[k].x, sizeof fields);
        const uint32_t x = fields & 0xFFFF, y = fields >> 16 & 0xFFFF, p = fields >> 32 & 0xFF;
        wrong |= (x >= W) | (y >= H) | (p >= C);
        place[k] = (p * H + y) * W + x;
      }
      if (wrong) return i;
      for (int64_t k = 0; k < n; ++k) frame[place[k]] += 1.0f;
      before = block[n - 1].t;
    }
  }
  return -1;
}

extern "C" int64_t count(const Event *events, const int64_t *cut, int64_t T, uint32_t C,
                         uint32_t H, uint32_t W, float *frames, int64_t threads) {
  std::vector<std::thread> others;
  std::vector<int64_t> wrong(threads, -1);
  int64_t first = 0;
  for (int64_t k = 0; k < threads; ++k) {
    const int64_t goal = (k + 1) * cut[T] / threads;
    int64_t last = first;
    while (last < T && (k + 1 == threads || cut[last + 1] <= goal)) ++last;
    auto run = [=, &wrong] { wrong[k] = slices(events, cut, first, last, C, H, W, frames); };
    if (k + 1 == threads) run(); else others.emplace_back(run);
    first = last;
  }
  for (auto &other : others) other.join();
  for (int64_t at : wrong) if (at >= 0) return at;
  return -1;
}
"""

Counter = Callable[[np.ndarray, np.ndarray, Sensor], Tensor]


def count(events: np.ndarray, cut: np.ndarray, sensor: Sensor) -> Tensor:
    r"""Count the events of each slice per pixel.

    Arguments:
        events: Of :data:`EVENT_DTYPE`, [n].
        cut: Positions between the slices, from 0 to n, [T + 1].
        sensor: Shape (C, H, W) of a frame.
    Shape:
        output: [T, C, H, W], float32.
    Raises:
        ValueError: an event lies off the sensor, or time goes back.
    """
    fits = (
        sys.byteorder == "little"
        and math.prod(sensor) < 1 << 32
        and np.diff(cut).max(initial=0) <= EXACT
    )
    use_cpp = len(events) >= LONG and fits and _built() is not None
    return (CPP if use_cpp else NUMPY)(events, cut, sensor)


def check_events(events: np.ndarray, sensor: Sensor) -> None:
    """Raise a ValueError for the first event that is out of order or lies off the sensor."""
    check_order(events)
    for name, size in zip(("p", "y", "x"), sensor, strict=True):
        if len(events) and events[name].max() >= size:
            i = int((events[name] >= size).argmax())
            event = ", ".join(f"{name}={events[name][i]}" for name in ("p", "y", "x"))
            raise ValueError(
                f"event {i} ({event}) lies off the sensor (polarities, height, width) = {sensor}: "
                "give the recording's true size, or merge_polarities for one polarity"
            )


def _fits_cpp(cut: np.ndarray, sensor: Sensor) -> bool:
    """Whether places have 32 bits, and counts are exact as float32 from the first event on."""
    small = math.prod(sensor) < 1 << 32 and bool((np.diff(cut) <= EXACT).all())
    return small and sys.byteorder == "little"


def _count_cpp(events: np.ndarray, cut: np.ndarray, sensor: Sensor) -> Tensor:
    library = _built()
    if library is None:
        raise RuntimeError("there is no C++ compiler to count events with")
    events, cut = np.ascontiguousarray(events), np.ascontiguousarray(cut, np.int64)
    frames = torch.empty(len(cut) - 1, *sensor)
    wrong = library.count(
        ctypes.c_void_p(events.ctypes.data),
        ctypes.c_void_p(cut.ctypes.data),
        ctypes.c_int64(len(cut) - 1),
        *(ctypes.c_uint32(size) for size in sensor),
        ctypes.c_void_p(frames.data_ptr()),
        # A thread costs some ten microseconds; workers of a loader have one.
        ctypes.c_int64(min(torch.get_num_threads(), len(cut) - 1, 1 + len(events) // LONG)),
    )
    if wrong >= 0:
        check_events(events, sensor)
    return frames


def _count_numpy(events: np.ndarray, cut: np.ndarray, sensor: Sensor) -> Tensor:
    check_events(events, sensor)
    frames = torch.zeros(len(cut) - 1, *sensor)
    flat = frames.view(len(frames), math.prod(sensor)).numpy()
    for frame, start, stop in zip(flat, cut[:-1], cut[1:], strict=True):
        for first in range(start, stop, CHUNK):
            part = events[first : min(first + CHUNK, stop)]
            frame += np.bincount(_pixels(part, sensor), minlength=len(frame))
    return frames


def _pixels(events: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Each event's place in a flat frame."""
    pixels = events["p"].astype(np.int64)
    for size, name in ((sensor[1], "y"), (sensor[2], "x")):
        pixels *= size
        pixels += events[name]
    return pixels


CPP: Counter = _count_cpp
NUMPY: Counter = _count_numpy


@functools.cache
def _built() -> ctypes.CDLL | None:
    try:
        library = load(SOURCE)
    except BuildError:
        return None
    library.count.restype = ctypes.c_int64
    return library

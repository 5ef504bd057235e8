r"""A simulated event camera that looks at still pictures in three quick movements.

A pixel of such a camera remembers the logarithm of the light at its last event, and sends the
next one when it has changed by a threshold:

.. math::
    p = \operatorname{sign}(L - L_{last}) \quad\text{when}\quad |L - L_{last}| \ge \theta, \qquad
    L = \ln(I + I_0)

The light is followed in steps, and the moment of a crossing interpolated within a step. The
thresholds differ a little from pixel to pixel, and pixels send an event by themselves now and
then. Nothing else of a real camera is there: no refractory time, no bandwidth, no lens.
"""

__all__ = ["Camera", "look"]

from dataclasses import dataclass

import numpy as np

from .events import pack_events

SACCADES = 3


@dataclass(frozen=True)
class Camera:
    """The camera and its movement.

    Arguments:
        side: Pixels of its square sensor's side.
        zoom: Pixels of the sensor per pixel of the picture.
        reach: Length of a saccade, in pixels of the sensor.
        threshold: Change of log intensity that makes an event.
        mismatch: Standard deviation of the thresholds, as a share of it.
        dark: Light I_0 where the picture is 0; its 1 is 1 + I_0.
        noise: Events that a pixel sends by itself, per second.
        saccade: Microseconds of a saccade, of which there are three.
        step: Microseconds of a step of the simulation.
    """

    side: int = 16
    zoom: float = 1.6
    reach: float = 2.5
    threshold: float = 0.3
    mismatch: float = 0.1
    dark: float = 0.2
    noise: float = 2.0
    saccade: int = 100_000
    step: int = 5_000

    @property
    def duration(self) -> int:
        """Microseconds of a recording."""
        return SACCADES * self.saccade


def look(images: np.ndarray, camera: Camera, rng: np.random.Generator) -> list[np.ndarray]:
    """Record what the camera sees of each picture.

    The gaze follows a triangle from a place near the middle, which differs from picture to
    picture by up to a pixel, as do the directions by up to 20 degrees.

    Arguments:
        images: Intensities 0 to 1, float32, [N, h, w].
        camera: The camera.
        rng: What directions, thresholds and noise are drawn from.

    Returns:
        The events of each picture, [n] each.
    """
    path = _path(len(images), camera, rng)
    threshold = camera.threshold * (1 + camera.mismatch * rng.standard_normal((camera.side,) * 2))
    threshold = np.maximum(threshold, camera.threshold / 2).astype(np.float32)
    light = _light(images, path[0], camera)
    # Where between its thresholds a pixel happens to be when the recording begins.
    remembered = light + threshold * (rng.random(light.shape, np.float32) - 0.5)
    found = [_noise(len(images), camera, rng)]
    for k in range(1, len(path)):
        before, light = light, _light(images, path[k], camera)
        crossings = np.trunc((light - remembered) / threshold).astype(np.int64)
        found.append(_crossed(crossings, remembered, before, light, threshold, k, camera))
        remembered += crossings * threshold
    return _by_picture(np.concatenate(found, axis=1), len(images))


def _path(n: int, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Where the gaze is after each step, [steps + 1, N, (y, x)]."""
    corners = np.deg2rad([90, 210, 330, 90]) + np.deg2rad(20) * (2 * rng.random((n, 1)) - 1)
    triangle = np.stack([np.sin(corners), np.cos(corners)], axis=-1)  # [N, 4, 2]
    triangle *= camera.reach / np.sqrt(3)
    triangle += 2 * rng.random((n, 1, 2)) - 1
    when = np.linspace(0, SACCADES, camera.duration // camera.step + 1)
    first = np.minimum(when.astype(int), SACCADES - 1)
    share = (when - first)[:, None, None]
    start, stop = (triangle[:, first + i].transpose(1, 0, 2) for i in (0, 1))
    return start + share * (stop - start)


def _light(images: np.ndarray, gaze: np.ndarray, camera: Camera) -> np.ndarray:
    """Log intensity at each pixel of the sensor, float32, [N, side, side]."""
    rows = _weights(images.shape[1], gaze[:, 0], camera)
    columns = _weights(images.shape[2], gaze[:, 1], camera)
    seen = rows @ images @ columns.transpose(0, 2, 1)
    light: np.ndarray = np.log(seen + np.float32(camera.dark))
    return light


def _weights(size: int, gaze: np.ndarray, camera: Camera) -> np.ndarray:
    """How much each line of the picture counts at each line of the sensor: bilinear."""
    sensor = np.arange(camera.side) - (camera.side - 1) / 2
    place = (sensor + gaze[:, None]) / camera.zoom + (size - 1) / 2
    weights = 1 - np.abs(place[:, :, None] - np.arange(size))
    return np.maximum(weights, 0).astype(np.float32)


def _crossed(
    crossings: np.ndarray,
    remembered: np.ndarray,
    before: np.ndarray,
    light: np.ndarray,
    threshold: np.ndarray,
    k: int,
    camera: Camera,
) -> np.ndarray:
    """Picture, time, x, y and polarity of the events of step k, [5, n]."""
    n, y, x = np.nonzero(crossings)
    times = np.abs(crossings[n, y, x])
    n, y, x = (np.repeat(index, times) for index in (n, y, x))
    sign = np.sign(crossings[n, y, x])
    number = np.arange(len(n)) - np.repeat(np.cumsum(times) - times, times) + 1
    level = remembered[n, y, x] + sign * number * threshold[y, x]
    rise = light[n, y, x] - before[n, y, x]
    share = np.clip((level - before[n, y, x]) / np.where(rise == 0, 1, rise), 0, 1)
    time = ((k - 1 + share) * camera.step).astype(np.int64)
    return np.stack([n, time, x, y, sign > 0])


def _noise(n: int, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    count = rng.poisson(camera.noise * n * camera.side**2 * camera.duration / 1e6)
    limits = (n, camera.duration, camera.side, camera.side, 2)
    return np.stack([rng.integers(0, limit, count) for limit in limits])


def _by_picture(found: np.ndarray, n: int) -> list[np.ndarray]:
    """Sort events by picture and time, and part them by picture."""
    picture, time, x, y, p = found[:, np.argsort(found[0] << 32 | found[1], kind="stable")]
    cuts = np.searchsorted(picture, np.arange(1, n))
    return np.split(pack_events(time, x, y, p), cuts)

"""``spikeframe show``: a recording of events as a picture."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import (
    EVENT_SETS,
    IMAGE_SETS,
    load_events,
    load_images,
    read_events,
    to_frames,
)
from .errors import CommandError
from .folder import write_whole
from .pictures import clip_gif, clip_sheet, image_sheet, spike_raster

__all__ = ["show"]

STEPS = 16
SHOWN_IMAGES = 32
ENDINGS = (".png", ".gif")
# A recording is shown in its own time, but no faster than a screen can.
FASTEST = 20  # milliseconds a frame


@dataclass(frozen=True)
class Clip:
    """A recording with what is known of it."""

    events: np.ndarray
    sensor: tuple[int, int, int]
    title: str


def show(given: dict[str, Any]) -> None:
    """Run the command with the options that were given.

    Arguments:
        given: Values by the names of the options; the rest takes its default.

    Raises:
        CommandError: something is wrong that the user can mend.
    """
    _require("PIL.Image", "Pillow")
    what = given["what"]
    index, steps = given.get("index", 0), given.get("steps", STEPS)
    if steps < 1 or index < 0:
        raise CommandError(f"-T must be at least 1 and --index at least 0, got {steps}, {index}")
    try:
        if what in IMAGE_SETS and not _is_file(what):
            content = _images(what, given.get("data_dir"), index)
            out = _out(given, f"{what}-{index}", "a sheet of images is a .png")
        else:
            clip = _clip(what, given, index)
            name = Path(what).name if _is_file(what) else f"{what}-{index}"
            out = _out(given, name, "a raster is a .png" if clip.sensor[1] == 1 else "")
            content = _picture(clip, steps, out.suffix)
    except (ValueError, OSError, ImportError) as error:
        raise CommandError(error) from error
    write_whole(out, content)
    print(out)


def _clip(what: str, given: dict[str, Any], index: int) -> Clip:
    if what in EVENT_SETS and not _is_file(what):
        data = load_events(what, given.get("data_dir")).test
        if index >= len(data):
            raise CommandError(f"--index must be less than {len(data)}, got {index}")
        events, label = data[index]
        return Clip(events, data.sensor, f"{what}, test sample {index}: {data.classes[label]}")
    if not _is_file(what):
        names = ", ".join((*IMAGE_SETS, *EVENT_SETS))
        kind = "a folder" if Path(what).expanduser().is_dir() else "neither a file nor a data set"
        raise CommandError(
            f"{what} is {kind}: name a file of events, or one of {names} and its folder with "
            "--data-dir"
        )
    events = read_events(what)
    if len(events) == 0:
        raise CommandError(f"{what} has no events")
    height, width = given.get("sensor") or (int(events[name].max()) + 1 for name in "yx")
    return Clip(events, (2, height, width), Path(what).name)


def _is_file(what: str) -> bool:
    """Whether it is a file, which goes before a data set of its name; a folder does not."""
    return Path(what).expanduser().is_file()


def _picture(clip: Clip, steps: int, suffix: str) -> bytes:
    if clip.sensor[1] == 1:
        _require("matplotlib.figure", "matplotlib")
        return spike_raster(clip.events, clip.sensor[2], clip.title)
    frames = to_frames(clip.events, clip.sensor, frames_number=steps, split_by="time")
    print(f"{clip.title}: {_summary(clip.events)}, shown in {steps} frames")
    if suffix == ".png":
        return clip_sheet(frames)
    milliseconds = int(clip.events["t"][-1] - clip.events["t"][0]) // 1000
    return clip_gif(frames, max(milliseconds // steps, FASTEST))


def _summary(events: np.ndarray) -> str:
    seconds = int(events["t"][-1] - events["t"][0]) / 1e6 if len(events) else 0.0
    return f"{len(events)} events in {seconds:.3g} s, {events['p'].mean():.0%} brighter"


def _images(name: str, data_dir: str | None, index: int) -> bytes:
    images = load_images(name, data_dir).test.images[index : index + SHOWN_IMAGES]
    if len(images) == 0:
        raise CommandError(f"--index {index} is behind the last image of {name}")
    return image_sheet(images)


def _out(given: dict[str, Any], name: str, only_png: str) -> Path:
    """Where the picture goes; its name's end says what it becomes."""
    if "out" not in given:
        return Path(f"{name}.png")
    out = Path(given["out"]).expanduser()
    if out.suffix not in ENDINGS or (only_png and out.suffix != ".png"):
        reason = f": {only_png}" if only_png else ""
        raise CommandError(f"--out must end with {' or '.join(ENDINGS)}, got {out}{reason}")
    return out


def _require(module: str, package: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise CommandError(
            f"{package} is needed to draw and does not import here ({error}): "
            "pip install 'spikeframe[train]'"
        ) from error

"""What the options name: training, validation and test set, ready to be drawn from."""

from collections.abc import Callable
from pathlib import Path

from ..data import (
    IMAGE_SETS,
    FrameSet,
    ImageSet,
    Integration,
    Split,
    load_events,
    load_images,
    stratified,
)
from .errors import CommandError
from .group import Group
from .options import Options
from .recipes import RECIPES

__all__ = ["Samples", "load_samples", "prepare", "recordings_to_prepare"]

Samples = ImageSet | FrameSet
"""Samples with labels: one index gives a batch, images [N, C, H, W] or frames [T, N, C, H, W]."""

FRAMES = "spikeframe-frames"


def load_samples(options: Options) -> Split[Samples]:
    """Read the data set; a validation set is drawn from the training set, class by class.

    Raises:
        CommandError: it is missing or damaged, or does not go with the other options.
    """
    try:
        split = _images(options) if options.data in IMAGE_SETS else _frames(options)
        if not options.validation:
            return split
        if split.valid is not None:
            raise ValueError(
                f"{options.data} is published with a validation set, which is used: leave "
                "--validation out"
            )
        stays, taken = stratified(split.train.labels, options.validation, options.seed)
        return Split(split.train.take(stays), split.test, split.train.take(taken))
    except (ValueError, OSError, ImportError) as error:
        raise CommandError(error) from error


def prepare(split: Split[Samples], group: Group, on_recording: Callable[[], None]) -> None:
    """Count every recording into frames that the cache lacks, shared out among the processes.

    Raises:
        CommandError: a recording is damaged, or the cache cannot be written.
    """
    for data in _kept(split):
        try:
            data.take(range(*group.rows.indices(len(data)))).prepare(on_recording)
        except OSError as error:
            raise CommandError(
                f"frames cannot be kept ({error}): name a folder for them with --cache-dir"
            ) from error
        except ValueError as error:
            raise CommandError(error) from error


def recordings_to_prepare(split: Split[Samples], group: Group) -> int:
    """How many recordings this process is to look at."""
    return sum(len(range(*group.rows.indices(len(data)))) for data in _kept(split))


def _kept(split: Split[Samples]) -> list[FrameSet]:
    parts = (split.train, split.valid, split.test)
    return [part for part in parts if isinstance(part, FrameSet) and part.cache is not None]


def _images(options: Options) -> Split[Samples]:
    split = load_images(options.data, options.data_dir, split=options.split, seed=options.seed)
    return Split(split.train, split.test)


def _frames(options: Options) -> Split[Samples]:
    split = load_events(options.data, options.data_dir, split=options.split, seed=options.seed)
    integration = Integration(
        frames_number=options.steps,
        split_by=options.split_by,
        factor=RECIPES[options.data].factor,
    )
    folder = options.cache_dir
    if folder is None and options.data_dir is not None:
        folder = str(Path(options.data_dir).expanduser() / FRAMES)
    train, test = (FrameSet(part, integration, folder) for part in split)
    valid = None if split.valid is None else FrameSet(split.valid, integration, folder)
    return Split(train, test, valid)

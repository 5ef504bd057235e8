"""Data sets read from their published files: labelled images, recordings of events."""

from .adapt import from_dataset
from .catalog import IMAGE_SETS, load_images
from .cifar import load_cifar10
from .collate import (
    PaddedBatch,
    collate_sequences,
    pad_sequence_collate,
    padded_sequence_mask,
)
from .digits import load_digits
from .events import EVENT_DTYPE, as_events, make_events
from .files import DataError
from .frames import to_frames, to_voxels
from .idx import load_fashion_mnist, load_mnist
from .images import ImageSet, Split
from .transform import (
    crop,
    downsample,
    drop_events,
    flip_polarity,
    flip_x,
    flip_y,
    jitter_space,
    jitter_time,
    merge_polarities,
    random_temporal_delete,
    shift,
)

__all__ = [
    "EVENT_DTYPE",
    "IMAGE_SETS",
    "DataError",
    "ImageSet",
    "PaddedBatch",
    "Split",
    "as_events",
    "collate_sequences",
    "crop",
    "downsample",
    "drop_events",
    "flip_polarity",
    "flip_x",
    "flip_y",
    "from_dataset",
    "jitter_space",
    "jitter_time",
    "load_cifar10",
    "load_digits",
    "load_fashion_mnist",
    "load_images",
    "load_mnist",
    "make_events",
    "merge_polarities",
    "pad_sequence_collate",
    "padded_sequence_mask",
    "random_temporal_delete",
    "shift",
    "to_frames",
    "to_voxels",
]

"""Data sets read from their published files: labelled images, recordings of events."""

from .adapt import from_dataset
from .catalog import EVENT_SETS, IMAGE_SETS, SPLITS, load_events, load_images
from .cifar import load_cifar10
from .cifar10_dvs import load_cifar10_dvs
from .collate import (
    PaddedBatch,
    collate_sequences,
    pad_sequence_collate,
    padded_sequence_mask,
)
from .digits import load_digits
from .event_digits import event_digits
from .event_set import EventSet, Recording
from .events import EVENT_DTYPE, as_events, make_events
from .files import DataError
from .frame_cache import FrameCache
from .frame_set import FrameSet, Integration
from .frames import to_frames, to_voxels
from .gesture import load_dvs_gesture
from .heidelberg import load_shd, load_ssc
from .idx import load_fashion_mnist, load_mnist
from .images import ImageSet, Split
from .n_mnist import load_n_mnist
from .recording import read_events, stream_events
from .saccades import Camera, look
from .stratified import stratified
from .stream import stream_frames
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
    "EVENT_SETS",
    "IMAGE_SETS",
    "SPLITS",
    "Camera",
    "DataError",
    "EventSet",
    "FrameCache",
    "FrameSet",
    "ImageSet",
    "Integration",
    "PaddedBatch",
    "Recording",
    "Split",
    "as_events",
    "collate_sequences",
    "crop",
    "downsample",
    "drop_events",
    "event_digits",
    "flip_polarity",
    "flip_x",
    "flip_y",
    "from_dataset",
    "jitter_space",
    "jitter_time",
    "load_cifar10",
    "load_cifar10_dvs",
    "load_digits",
    "load_dvs_gesture",
    "load_events",
    "load_fashion_mnist",
    "load_images",
    "load_mnist",
    "load_n_mnist",
    "load_shd",
    "load_ssc",
    "look",
    "make_events",
    "merge_polarities",
    "pad_sequence_collate",
    "padded_sequence_mask",
    "random_temporal_delete",
    "read_events",
    "shift",
    "stratified",
    "stream_events",
    "stream_frames",
    "to_frames",
    "to_voxels",
]

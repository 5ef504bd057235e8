"""snnTorch's data sets, which it has given up in favour of tonic: here are no more than hints."""

from typing import Any

__all__: list[str] = []

_INSTEAD = {
    "NMNIST": "load_n_mnist",
    "DVSGesture": "load_dvs_gesture",
    "SHD": "load_shd",
    "spikedata": "load_events",
    "_transforms": "to_frames",
}


def __getattr__(name: str) -> Any:
    if name in _INSTEAD:
        raise ImportError(
            f"spikevision.{name} is no more: use spikeframe.data.{_INSTEAD[name]} (or "
            "tonic.datasets, to which snnTorch itself points)"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

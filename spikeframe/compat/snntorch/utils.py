"""snnTorch's helpers: reset a net, take parts of a data set."""

from typing import Any

import numpy as np
from torch import Tensor, nn

from ... import functional

__all__ = ["data_subset", "reset", "valid_split"]


def reset(net: nn.Module) -> None:
    """Begin a new sequence: reset every neuron in the net, however deep, and no other net's.

    Example:
        >>> import torch
        >>> from spikeframe.compat import snntorch as snn
        >>> net = nn.Sequential(nn.Sequential(snn.Leaky(0.9, init_hidden=True)))
        >>> _ = net(torch.ones(2))
        >>> reset(net)
        >>> net[0][0].mem
        0.0
    """
    functional.reset_net(net)


def data_subset(dataset: Any, subset: int, idx: int = 0) -> Any:
    """Keep a part of a data set: its ``data`` and ``targets`` are replaced.

    Arguments:
        dataset: A data set with ``data`` and ``targets``, such as torchvision's.
        subset: One part in this many.
        idx: Which part.
    Returns:
        The data set.
    Raises:
        ValueError: There is no such part.
    """
    if subset <= 1:
        return dataset
    if not 0 <= idx < subset:
        raise ValueError(f"idx must be from 0 to {subset - 1}, the {subset} parts, got {idx}")
    step = len(dataset.data) // subset
    _keep(dataset, dataset, np.arange(step * idx, step * (idx + 1)))
    return dataset


def valid_split(ds_train: Any, ds_val: Any, split: float, seed: int = 0) -> tuple[Any, Any]:
    """Move a random share of the training set into the validation set.

    Arguments:
        ds_train: A data set with ``data`` and ``targets``, such as torchvision's.
        ds_val: Another one, whose samples are replaced.
        split: The share, 0 to 1.
        seed: Which ones.
    Returns:
        Both data sets.
    Raises:
        ValueError: ``split`` is outside of [0, 1].
    """
    if not 0 <= split <= 1:
        raise ValueError(f"split must be from 0 to 1, the share to be moved, got {split}")
    count = len(ds_train)
    kept = np.random.default_rng(seed=seed).choice(
        count, size=count - int(count * split), replace=False
    )
    moved = np.setdiff1d(np.arange(count), kept)
    _keep(ds_val, ds_train, moved)
    _keep(ds_train, ds_train, kept)
    return ds_train, ds_val


def _keep(into: Any, of: Any, places: Any) -> None:
    into.data, into.targets = _chosen(of.data, places), _chosen(of.targets, places)


def _chosen(values: Any, places: Any) -> Any:
    """The values there, in the container they come in."""
    if isinstance(values, Tensor | np.ndarray):
        return values[places]
    return [values[place] for place in places]

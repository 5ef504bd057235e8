"""snnTorch, imported where it is installed, and random arguments for both."""

import importlib
import random
import warnings

import pytest
import torch

__all__ = ["SEEDS", "draw", "peer", "spikes"]

SEEDS = range(25)


def peer(name="snntorch"):
    # It warns while it is imported, which would be an error here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as missing:
            pytest.skip(f"{name} is not installed ({missing})")


def draw(seed):
    """A source of arguments."""
    return random.Random(seed)


def spikes(rng, *shape, rate=0.3, dtype=torch.float32):
    """Random spikes."""
    generator = torch.Generator().manual_seed(rng.randrange(10**6))
    return (torch.rand(*shape, generator=generator) < rate).to(dtype)

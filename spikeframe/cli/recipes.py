"""What each data set is trained with by default: a network, its input, the length of training."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from ..model import ConvNet, RecurrentNet, VGGNet
from .augment import Augment, jitter, mirror, move

__all__ = ["RECIPES", "Recipe"]

Network = Callable[..., nn.Module]
"""Makes a network from a frame's shape, the number of classes, activation= and readout=."""


@dataclass(frozen=True)
class Recipe:
    """How a data set is trained where nothing else is asked for.

    Arguments:
        network: Makes the network.
        augment: How training samples are changed.
        steps: Time steps: of a still image, or frames that a recording becomes.
        epochs: Passes over the training set.
        batch_size: Samples per batch.
        validation: Share of the training set that is held out.
        tau: Membrane time constant, in time steps.
        decay_input: Whether a neuron divides its input by tau.
        split_by: How recordings become frames: by equal 'time' or equal 'number' of events.
        factor: Side of the squares of pixels that are joined to one.
        baseline: Whether the twin with ReLU is trained too.
    """

    network: Network = ConvNet
    augment: Augment = jitter
    steps: int = 4
    epochs: int = 10
    batch_size: int = 64
    validation: float = 0.0
    tau: float = 2.0
    decay_input: bool = True
    split_by: str = "time"
    factor: int = 1
    baseline: bool = True


# A recurrent net with ReLU is no measure of a spiking one: over 100 steps it hardly learns.
SPOKEN = Recipe(
    network=partial(RecurrentNet, hidden=(256,), dropout=0.2),
    augment=partial(move, reach=1 / 64),
    steps=100,
    epochs=50,
    batch_size=128,
    validation=0.1,
    tau=10.0,
    decay_input=False,
    baseline=False,
)
RECIPES = {
    "digits": Recipe(epochs=15),
    "mnist": Recipe(),
    "fashion-mnist": Recipe(),
    "cifar10": Recipe(),
    "event-digits": Recipe(
        network=partial(ConvNet, channels=(24, 48, 64)),
        augment=move,
        steps=6,
        epochs=12,
        validation=0.1,
    ),
    "n-mnist": Recipe(augment=move, steps=10, validation=0.1),
    # After Fang et al., 2021 (https://arxiv.org/abs/2007.05785).
    "dvs-gesture": Recipe(
        network=partial(ConvNet, channels=(128,) * 5, hidden=(512,), dropout=0.5),
        augment=move,
        steps=16,
        epochs=64,
        batch_size=16,
        validation=0.1,
        split_by="number",
    ),
    # After Deng et al., 2022 (https://arxiv.org/abs/2202.11946).
    "cifar10-dvs": Recipe(
        network=VGGNet,
        augment=mirror,
        steps=10,
        epochs=100,
        batch_size=32,
        validation=0.1,
        split_by="number",
        factor=2,
    ),
    "shd": SPOKEN,
    # Published with a validation set of its own.
    "ssc": replace(SPOKEN, validation=0.0),
}

"""A network with what trains it: the spiking one, and its twin with ReLU."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from .. import encoding, functional, neuron, surrogate
from ..data import FrameSet
from ..model import MembraneReadout
from .group import Group
from .options import Options
from .recipes import RECIPES, Recipe
from .samples import Samples

__all__ = ["RELU", "SPIKING", "Learner", "learner"]

SPIKING, RELU = "spiking", "relu"
NODES = {"if": neuron.IFNode, "lif": neuron.LIFNode, "plif": neuron.ParametricLIFNode}
WEIGHT_DECAY = 0.05
MOMENTUM = 0.9  # of SGD
LABEL_SMOOTHING = 0.1
EVALUATION_BATCH = 256  # images


@dataclass(frozen=True)
class Learner:
    """A network, its optimiser and schedule, and how samples pass through it.

    Arguments:
        role: ``spiking`` or ``relu``.
        title: The network in a table.
        net: The network, in step mode 'm'.
        model: The same, with gradients averaged over the processes that train together.
        optimizer: What changes its weights.
        scheduler: What changes the learning rate, after every batch.
        steps: Time steps T that an image is shown for.
        batch_size: Samples that a forward pass without gradients takes.
        device: Where the network is.
        amp: Whether convolutions and products are done in bfloat16.
    """

    role: str
    title: str
    net: nn.Module
    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler
    steps: int
    batch_size: int
    device: torch.device
    amp: bool

    def scores(self, samples: Tensor) -> Tensor:
        """Scores of each class at each step, float32, [T, N, classes].

        Arguments:
            samples: Images [N, C, H, W], shown at every step, or frames [T, N, C, H, W].
        """
        samples = samples.to(self.device, non_blocking=True)
        x_seq = encoding.direct(samples, self.steps) if samples.dim() == 4 else samples
        net = self.model if self.net.training else self.net
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
            scores: Tensor = net(x_seq)
        return scores.float()

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Mean cross entropy of all steps: the net shall be right from the first step on.

        References:
            | Temporal Efficient Training of Spiking Neural Network via Gradient Re-weighting
              (Deng et al., 2022)
            | https://arxiv.org/abs/2202.11946
        """
        targets = labels.repeat(len(scores))
        return F.cross_entropy(scores.flatten(0, 1), targets, label_smoothing=LABEL_SMOOTHING)


def learner(
    role: str, data: Samples, options: Options, batches: int, group: Group | None = None
) -> Learner:
    """Build a network for a data set, with weights drawn from the run's seed.

    Arguments:
        role: ``spiking``, or ``relu`` for the same network with ReLU and without time.
        data: What to learn: its shape and classes.
        options: The options of the run.
        batches: Batches per epoch.
        group: The processes that train together.
    """
    group = group or Group()
    torch.manual_seed(options.seed)
    device = torch.device(options.device)
    recipe, moving = RECIPES[options.data], isinstance(data, FrameSet)
    net = (_spiking_net if role == SPIKING else _relu_net)(data, options, recipe)
    functional.set_step_mode(net, "m")
    net.to(device)
    if not group.first:
        # Weights are the same in all processes; what is drawn in training is not.
        torch.manual_seed(options.seed + group.rank)
    optimizer = _optimizer(net, options)
    scheduler = CosineAnnealingLR(optimizer, options.epochs * batches)
    # A still image is shown to the twin once; recordings have their time in both.
    steps = options.steps if role == SPIKING or moving else 1
    name = NODES[options.neuron].__name__ if role == SPIKING else "ReLU"
    return Learner(
        role=role,
        title=f"{name}, T={steps}" if role == SPIKING or moving else name,
        net=net,
        model=group.parallel(net, device),
        optimizer=optimizer,
        scheduler=scheduler,
        steps=steps,
        batch_size=options.batch_size if moving else EVALUATION_BATCH,
        device=device,
        amp=options.amp,
    )


def _spiking_net(data: Samples, options: Options, recipe: Recipe) -> nn.Module:
    return recipe.network(
        data.shape,
        len(data.classes),
        activation=lambda: _node(options, recipe),
        readout=lambda: MembraneReadout(_node(options, recipe, v_threshold=math.inf)),
    )


def _relu_net(data: Samples, options: Options, recipe: Recipe) -> nn.Module:
    return recipe.network(data.shape, len(data.classes), activation=nn.ReLU)


def _node(options: Options, recipe: Recipe, v_threshold: float = 1.0) -> neuron.BaseNode:
    """The neuron that the options name, with the settings that direct training wants."""
    leak = {"decay_input": recipe.decay_input}
    own: dict[str, dict[str, Any]] = {
        "if": {},
        "lif": {"tau": options.tau, **leak},
        "plif": {"init_tau": options.tau, **leak},
    }
    node: neuron.BaseNode = NODES[options.neuron](
        **own[options.neuron],
        v_threshold=v_threshold,
        surrogate_function=surrogate.ATan(),
        detach_reset=True,
    )
    return node


def _optimizer(net: nn.Module, options: Options) -> torch.optim.Optimizer:
    """Weights decay; biases, batch norms and time constants do not."""
    weights = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() <= 1]
    groups = [
        {"params": weights, "weight_decay": WEIGHT_DECAY},
        {"params": others, "weight_decay": 0.0},
    ]
    if options.opt == "sgd":
        # AdamW multiplies its decay with the learning rate and not the gradient; SGD needs less.
        groups[0]["weight_decay"] = 5e-4
        return torch.optim.SGD(groups, lr=options.lr, momentum=MOMENTUM, nesterov=True)
    if options.opt == "adam":
        return torch.optim.Adam([*weights, *others], lr=options.lr, fused=True)
    return torch.optim.AdamW(groups, lr=options.lr, fused=True)

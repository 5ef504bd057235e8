"""A network with what trains it: the spiking one, and its twin with ReLU."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from .. import encoding, functional, neuron, surrogate
from ..data import ImageSet
from ..model import ConvNet, MembraneReadout
from .options import Options

__all__ = ["RELU", "SPIKING", "Learner", "learner"]

SPIKING, RELU = "spiking", "relu"
NODES = {"if": neuron.IFNode, "lif": neuron.LIFNode, "plif": neuron.ParametricLIFNode}
WEIGHT_DECAY = 0.05
MOMENTUM = 0.9  # of SGD
LABEL_SMOOTHING = 0.1


@dataclass(frozen=True)
class Learner:
    """A network, its optimiser and schedule, and how images pass through it.

    Arguments:
        role: ``spiking`` or ``relu``.
        title: The network in a table.
        net: The network, in step mode 'm'.
        optimizer: What changes its weights.
        scheduler: What changes the learning rate, after every batch.
        steps: Time steps T that each image is shown for.
        device: Where the network is.
        amp: Whether convolutions and products are done in bfloat16.
    """

    role: str
    title: str
    net: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler
    steps: int
    device: torch.device
    amp: bool

    def scores(self, images: Tensor) -> Tensor:
        """Scores of each class at each step, float32, [T, N, classes]."""
        x_seq = encoding.direct(images.to(self.device, non_blocking=True), self.steps)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
            scores: Tensor = self.net(x_seq)
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


def learner(role: str, data: ImageSet, options: Options, batches: int) -> Learner:
    """Build a network for a data set, with weights drawn from the run's seed.

    Arguments:
        role: ``spiking``, or ``relu`` for the same network with ReLU and without time.
        data: What to learn: its image shape and classes.
        options: The options of the run.
        batches: Batches per epoch.
    """
    torch.manual_seed(options.seed)
    device = torch.device(options.device)
    net = (_spiking_net if role == SPIKING else _relu_net)(data, options)
    functional.set_step_mode(net, "m")
    net.to(device)
    optimizer = _optimizer(net, options)
    scheduler = CosineAnnealingLR(optimizer, options.epochs * batches)
    steps = options.steps if role == SPIKING else 1
    title = f"{NODES[options.neuron].__name__}, T={steps}" if role == SPIKING else "ReLU"
    return Learner(role, title, net, optimizer, scheduler, steps, device, options.amp)


def _spiking_net(data: ImageSet, options: Options) -> nn.Module:
    return ConvNet(
        data.shape,
        len(data.classes),
        activation=lambda: _node(options),
        readout=lambda: MembraneReadout(_node(options, v_threshold=math.inf)),
    )


def _relu_net(data: ImageSet, options: Options) -> nn.Module:
    return ConvNet(data.shape, len(data.classes), activation=nn.ReLU)


def _node(options: Options, v_threshold: float = 1.0) -> neuron.BaseNode:
    """The neuron that the options name, with the settings that direct training wants."""
    tau = {"if": {}, "lif": {"tau": options.tau}, "plif": {"init_tau": options.tau}}
    node: neuron.BaseNode = NODES[options.neuron](
        **tau[options.neuron],
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

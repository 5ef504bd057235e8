"""Training a step at a time, without backpropagation through time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .net import detach_net

__all__ = ["ottt_online_training"]


def ottt_online_training(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x_seq: Tensor,
    target_seq: Tensor,
    f_loss_t: Callable[[Any, Tensor], Tensor],
    online: bool,
) -> tuple[Tensor, Tensor]:
    r"""Train on one batch of sequences, each step's graph freed before the next (OTTT, SLTT).

    Batch first, as SpikingJelly's function of this name. The states are kept: call
    ``reset_net(model)`` before the next batch.

    Arguments:
        model: A net for one step ('s') of ``neuron.OTTTLIFNode`` in ``layer.OTTTSequential``, or
            of ``neuron.SLTTLIFNode``, in training mode.
        optimizer: What steps the model's parameters.
        x_seq: Inputs, [N, T, \*].
        target_seq: Targets of every step, [N, T, \*].
        f_loss_t: The loss of a step, from its output and target.
        online: Step the optimizer after every step of time; otherwise once, by the sum of the
            steps' gradients.
    Returns:
        The sum of the steps' losses, and the outputs [N, T, \*], without a graph.
    Raises:
        ValueError: Inputs and targets have another number of samples or steps.
    References:
        | Online Training Through Time for Spiking Neural Networks (Xiao et al., 2022)
        | https://arxiv.org/abs/2210.04195

    Example:
        >>> from spikeframe import layer, neuron
        >>> net = layer.OTTTSequential(nn.Linear(3, 5), neuron.OTTTLIFNode(), nn.Linear(5, 2))
        >>> sgd = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> x_seq, target_seq = torch.rand(4, 6, 3), torch.rand(4, 6, 2)
        >>> loss, y_seq = ottt_online_training(
        ...     net, sgd, x_seq, target_seq, nn.functional.mse_loss, online=True
        ... )
        >>> y_seq.shape
        torch.Size([4, 6, 2])
    """
    if x_seq.dim() < 2 or x_seq.shape[:2] != target_seq.shape[:2]:
        raise ValueError(
            "x_seq [N, T, *] and target_seq [N, T, *] must have the same N and T, got "
            f"{list(x_seq.shape)} and {list(target_seq.shape)}"
        )
    total, outputs = torch.zeros(()), list[Tensor]()
    for x, target in zip(x_seq.unbind(1), target_seq.unbind(1), strict=True):
        if online or not outputs:
            optimizer.zero_grad()
        output = model(x)
        output = output[0] if isinstance(output, list | tuple) else output
        loss = f_loss_t(output, target.contiguous())
        loss.backward()
        if online:
            optimizer.step()
        detach_net(model)
        total = total.to(loss.device) + loss.detach()
        outputs.append(output.detach())
    if not online:
        optimizer.step()
    return total, torch.stack(outputs, 1)

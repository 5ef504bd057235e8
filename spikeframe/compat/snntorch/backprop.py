"""snnTorch's training loops over a data loader, in a few lines that can be taken over.

The last neuron of the net must be made with ``output=True`` and all with ``init_hidden=True``,
so that the net returns spikes and states and keeps its states from step to step.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ... import functional
from .utils import reset

__all__ = ["BPTT", "RTRL", "TBPTT"]

# The losses that read potentials, and not spikes.
_OF_POTENTIALS = ("mse_membrane_loss", "ce_max_membrane_loss")


def TBPTT(
    net: nn.Module,
    dataloader: Iterable[Any],
    optimizer: torch.optim.Optimizer,
    criterion: Callable[..., Tensor],
    num_steps: int | bool = False,
    time_var: bool = True,
    time_first: bool = True,
    regularization: Any = False,
    device: Any = "cpu",
    K: int | bool = 1,
) -> Tensor:
    """One epoch of truncated backpropagation through time: learn after every K steps.

    Arguments:
        net: The net.
        dataloader: Gives data and targets.
        optimizer: Takes a step after every K steps.
        criterion: A loss of ``functional``; of another callable, one of the spikes.
        num_steps: Number of steps to show data that do not change; not given for those that do.
        time_var: The data change with time.
        time_first: Data that change are [T, N, ...], and not [N, T, ...].
        regularization: A penalty on spikes, which is added.
        device: Where to train.
        K: Steps from one update to the next; False for all.
    Returns:
        The mean loss over the epoch, without a graph; of a last chunk that is shorter than K by
        its share of the steps.
    Raises:
        ValueError: The arguments do not go together, the loader is empty, or the net returns
            spikes alone.
    """
    _check(num_steps, time_var, time_first, K)
    net.to(device).train()
    losses = []
    for data, targets in dataloader:
        data, targets = data.to(device), targets.to(device)
        if time_var and not time_first:
            data = data.transpose(0, 1)
        steps = data.shape[0] if time_var else int(num_steps)
        reset(net)
        loss = data.new_zeros((), dtype=torch.float32)
        for chunk in _chunks(steps, int(K) or steps):
            spk, mem = _run(net, data, chunk, time_var)
            chunk_loss = _loss(criterion, spk, mem, targets, chunk)
            if regularization:
                chunk_loss = chunk_loss + regularization(spk)
            optimizer.zero_grad()
            chunk_loss.backward()
            optimizer.step()
            functional.detach_net(net)
            loss = loss + chunk_loss.detach() * len(chunk) / steps
        losses.append(loss)
    if not losses:
        raise ValueError("dataloader gave no batch")
    return torch.stack(losses).mean()


def BPTT(
    net: nn.Module,
    dataloader: Iterable[Any],
    optimizer: torch.optim.Optimizer,
    criterion: Callable[..., Tensor],
    num_steps: int | bool = False,
    time_var: bool = True,
    time_first: bool = True,
    regularization: Any = False,
    device: Any = "cpu",
) -> Tensor:
    """One epoch of backpropagation through time: learn after the last step of each batch."""
    data = (net, dataloader, optimizer, criterion, num_steps, time_var, time_first)
    return TBPTT(*data, regularization, device, K=False)


def RTRL(
    net: nn.Module,
    dataloader: Iterable[Any],
    optimizer: torch.optim.Optimizer,
    criterion: Callable[..., Tensor],
    num_steps: int | bool = False,
    time_var: bool = True,
    time_first: bool = True,
    regularization: Any = False,
    device: Any = "cpu",
) -> Tensor:
    """One epoch in which the net learns after every step, from that step alone.

    This is what snnTorch calls real-time recurrent learning: backpropagation truncated to one
    step. The algorithm of that name carries the influence of all weights forward in time.
    """
    data = (net, dataloader, optimizer, criterion, num_steps, time_var, time_first)
    return TBPTT(*data, regularization, device, K=1)


def _check(num_steps: int | bool, time_var: bool, time_first: bool, K: int | bool) -> None:
    if num_steps and time_var:
        raise ValueError(
            "num_steps is the data's own number of steps with time_var=True: leave it out, or say "
            "time_var=False of data that do not change"
        )
    if not num_steps and not time_var:
        raise ValueError("num_steps must be given for data that do not change, time_var=False")
    if not time_var and not time_first:
        raise ValueError("time_first=False is said of data that change, time_var=True")
    if K is not False and (K < 1 or (num_steps and num_steps < K)):
        raise ValueError(f"K must be from 1 to num_steps={num_steps or 'T'}, got {K}")


def _chunks(steps: int, K: int) -> Iterator[range]:
    """The steps, K at a time."""
    for start in range(0, steps, K):
        yield range(start, min(start + K, steps))


def _run(net: nn.Module, data: Tensor, chunk: range, time_var: bool) -> tuple[Tensor, Tensor]:
    """Spikes and potentials of the last layer at some steps, [T, N, ...]."""
    spikes, potentials = [], []
    for step in chunk:
        outputs = net(data[step] if time_var else data)
        if not isinstance(outputs, tuple):
            raise ValueError(
                "the net returns spikes alone: make its last neuron with init_hidden=True and "
                "output=True"
            )
        spikes.append(outputs[0])
        potentials.append(outputs[-1])
    return torch.stack(spikes), torch.stack(potentials)


def _loss(criterion: Any, spk: Tensor, mem: Tensor, targets: Tensor, chunk: range) -> Tensor:
    of_potentials = getattr(criterion, "__name__", "") in _OF_POTENTIALS
    if getattr(criterion, "time_var_targets", False):
        targets = targets[chunk.start : chunk.stop]
    loss: Tensor = criterion(mem if of_potentials else spk, targets)
    return loss

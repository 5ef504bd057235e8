"""One of two processes that train a net together; test_distributed.py runs both.

Arguments: rank, and a folder for the store and for the results of rank 0.
"""

import os
import sys
from pathlib import Path

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from spikeframe import functional, layer, neuron, surrogate

WORLD = 2


def build(way):
    """A net from a seed; FSDP2 takes no parameter without dimensions, such as PLIF's."""
    torch.manual_seed(0)
    second = neuron.LIFNode if way == "fsdp" else neuron.ParametricLIFNode
    net = nn.Sequential(
        layer.Linear(6, 8),
        neuron.LIFNode(surrogate_function=surrogate.ATan()),
        layer.Linear(8, 8),
        second(surrogate_function=surrogate.ATan()),
        layer.Linear(8, 4),
    ).double()
    functional.set_step_mode(net, "m")
    with torch.no_grad():
        for i in (0, 2):  # so that all fire
            net[i].weight.mul_(3)
    return net


def batch():
    """Inputs [T, N, 6] and targets [N, 4] of all processes."""
    generator = torch.Generator().manual_seed(1)
    x_seq = 4 * torch.rand(5, 2 * WORLD, 6, generator=generator, dtype=torch.float64)
    return x_seq, torch.rand(2 * WORLD, 4, generator=generator, dtype=torch.float64)


def train(net, x_seq, target, steps=2):
    """Gradients of each step and the parameters after the last, as plain tensors."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    results = []
    for _ in range(steps):
        functional.reset_net(net)
        optimizer.zero_grad()
        (net(x_seq).mean(0) - target).square().mean().backward()
        results += [whole(p.grad) for p in net.parameters()]
        optimizer.step()
    return results + [whole(p.detach()) for p in net.parameters()]


def whole(tensor):
    """A sharded tensor gathered, another one as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor.clone()


def sharded(net):
    """By FSDP2: each linear layer, then the rest."""
    mesh = init_device_mesh("cpu", (WORLD,))
    for module in net:
        if isinstance(module, nn.Linear):
            fully_shard(module, mesh=mesh)
    fully_shard(net, mesh=mesh)
    return net


def main(rank, folder):
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=WORLD)
    x_seq, target = batch()
    own = slice(rank * 2, rank * 2 + 2)
    for name, wrap in (("ddp", DistributedDataParallel), ("fsdp", sharded)):
        found = train(wrap(build(name)), x_seq[:, own], target[own])
        if rank == 0:
            torch.save(found, Path(folder) / f"{name}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
    # Threads of torch's gloo now and then abort an interpreter that ends; all is saved by now.
    os._exit(0)

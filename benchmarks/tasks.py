"""Which neurons solve tasks that need memory: delayed XOR, spike timing, digits pixel by pixel?

Every network is trained with seeds 0, 1 and 2, which draw data, split, initial weights and
batches; a row each goes to tasks.csv, and the means are printed.

delayed xor: two bits, each shown for two steps, with ten steps between them in which two other
inputs fire at random; the readout sees the last step alone, so that the first bit must have been
kept. Membranes halve every step. Tested on 2000 fresh draws.

randman: 10 classes, each a smooth random curve in the space of the spike times of 20 inputs (Zenke
and Vogels, 2021), 600 samples of a class; each input fires exactly once in 80 steps, so that
nothing but timing tells the classes apart. 80 % to train, 20 % to test, split by chance.

pixels: the 8x8 digits of scikit-learn, one pixel a step; the random split, 1437 to train and 360
to test, trained on images that are not changed.
"""

import argparse
import csv
import datetime
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spikeframe import data, functional, layer, neuron, rnn, surrogate

TABLE = Path(__file__).with_suffix(".csv")
SEEDS = (0, 1, 2)
COLUMNS = (
    *("date", "torch", "machine", "load", "task", "network", "seed"),
    *("parameters", "updates", "test_accuracy", "seconds"),
)

SHOWN, BETWEEN = 2, 10
CLASSES, UNITS, SAMPLES, STEPS = 10, 20, 600, 80

Batches = Iterator[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Task:
    """Data of one seed.

    Arguments:
        batches: Sequences [T, N, F] and labels [N] to train with.
        updates: Their number.
        test: Sequences and labels to test with.
        readout: From the last layer's output [T, N, K] to one row of logits a sample.
        rate: The learning rate, of Adam, which falls to 0 as a cosine.
    """

    batches: Batches
    updates: int
    test: tuple[Tensor, Tensor]
    readout: Callable[[Tensor], Tensor]
    rate: float


def delayed_xor(seed: int) -> Task:
    """The exclusive or of a bit seen long ago and a bit seen now."""
    draws = torch.Generator().manual_seed(seed)

    def draw(n: int) -> tuple[Tensor, Tensor]:
        bits = torch.randint(0, 2, (2, n), generator=draws)
        cues = F.one_hot(bits, 2).float()
        x_seq = torch.zeros(2 * SHOWN + BETWEEN, n, 6)
        x_seq[:SHOWN, :, :2], x_seq[-SHOWN:, :, 2:4] = cues
        x_seq[SHOWN:-SHOWN, :, 4:] = torch.randint(0, 2, (BETWEEN, n, 2), generator=draws)
        return x_seq, bits[0] ^ bits[1]

    updates = 600
    batches = (draw(128) for _ in range(updates))
    return Task(batches, updates, draw(2000), lambda output: output[-1], 5e-3)


def curves(draws: torch.Generator, smoothness: float = 2.0, terms: int = 32) -> Tensor:
    """Points on a smooth random closed curve, each coordinate from 0 to 1: [SAMPLES, UNITS]."""
    order = torch.arange(1, terms + 1).double()
    size, frequency, phase = torch.rand(3, UNITS, terms, generator=draws).double()
    where = torch.rand(SAMPLES, 1, 1, generator=draws).double()
    waves = torch.sin(2 * math.pi * (order * where * frequency + phase))
    points = (size * order**-smoothness * waves).sum(-1)
    low, high = points.amin(0), points.amax(0)
    return (points - low) / (high - low)


def randman(seed: int) -> Task:
    """Random manifolds of spike times."""
    draws = torch.Generator().manual_seed(seed)
    times = torch.cat([curves(draws) for _ in range(CLASSES)])
    labels = torch.arange(CLASSES).repeat_interleave(SAMPLES)
    shuffled = torch.randperm(len(labels), generator=draws)
    steps = (times * (STEPS - 1)).round().long()[shuffled]
    labels = labels[shuffled]

    def spikes(chosen: Tensor | slice) -> tuple[Tensor, Tensor]:
        return F.one_hot(steps[chosen], STEPS).permute(2, 0, 1).float(), labels[chosen]

    cut, size, epochs = len(labels) * 4 // 5, 256, 24
    updates = epochs * math.ceil(cut / size)
    batches = (
        spikes(chosen)
        for _ in range(epochs)
        for chosen in torch.randperm(cut, generator=draws).split(size)
    )
    return Task(batches, updates, spikes(slice(cut, None)), lambda o: 10 * o.mean(0), 1e-2)


def pixels(seed: int) -> Task:
    """Digits as sequences of 64 pixels."""
    digits = data.load_digits(split="random", seed=seed)

    def sequences(images: data.ImageSet) -> tuple[Tensor, Tensor]:
        return images.images.flatten(1).t().unsqueeze(2).contiguous(), images.labels

    x_seq, labels = sequences(digits.train)
    draws = torch.Generator().manual_seed(seed)
    size, epochs = 64, 40
    batches = (
        (x_seq[:, chosen], labels[chosen])
        for _ in range(epochs)
        for chosen in torch.randperm(len(labels), generator=draws).split(size)
    )
    updates = epochs * math.ceil(len(labels) / size)
    return Task(batches, updates, sequences(digits.test), lambda o: o.mean(0), 5e-3)


def lif() -> neuron.LIFNode:
    """A neuron that forgets by half every step."""
    atan = surrogate.ATan()
    return neuron.LIFNode(
        2.0, decay_input=False, surrogate_function=atan, detach_reset=True, step_mode="m"
    )


def recurrent_lif(hidden: int) -> rnn.RecurrentLIFNode:
    """The same, with dense feedback."""
    atan = surrogate.ATan()
    feedback = nn.Linear(hidden, hidden)
    return rnn.RecurrentLIFNode(
        *(feedback, 2.0, False), surrogate_function=atan, detach_reset=True, step_mode="m"
    )


def xor_net(node: nn.Module) -> nn.Module:
    """32 hidden neurons, with weights by which they fire from the start."""
    first = layer.Linear(6, 32, step_mode="m")
    with torch.no_grad():
        first.weight *= 3.0
    return nn.Sequential(first, node, layer.Linear(32, 2, step_mode="m"))


def timing_net(*body: nn.Module) -> nn.Module:
    """64 hidden neurons, of which the last module of the body is the node."""
    *before, node = body
    layers = layer.Linear(UNITS, 64, step_mode="m"), node, layer.Linear(64, CLASSES, step_mode="m")
    return nn.Sequential(*before, *layers)


def learned_synaptic() -> neuron.Synaptic:
    """A neuron with a synaptic current, both decays learned."""
    return neuron.Synaptic(0.9, 0.5, learn_alpha="sigmoid", learn_beta="sigmoid", step_mode="m")


def learned_filter() -> layer.SynapseFilter:
    """A synapse that learns how long to remember."""
    return layer.SynapseFilter(10.0, learnable=True, step_mode="m")


def pixel_net(make_node: Callable[[], nn.Module]) -> nn.Module:
    """Two layers of 64 neurons."""
    layers: list[nn.Module] = []
    for features in (1, 64):
        layers += [layer.Linear(features, 64, step_mode="m"), make_node()]
    return nn.Sequential(*layers, layer.Linear(64, 10, step_mode="m"))


HALF = {"beta": 0.5, "step_mode": "m"}

TASKS: dict[str, tuple[Callable[[int], Task], dict[str, Callable[[], nn.Module]]]] = {
    "delayed xor": (
        delayed_xor,
        {
            "LIFNode": lambda: xor_net(lif()),
            "Leaky": lambda: xor_net(neuron.Leaky(**HALF)),
            "RLeaky, dense": lambda: xor_net(neuron.RLeaky(linear_features=32, **HALF)),
            "RLeaky, one to one": lambda: xor_net(
                neuron.RLeaky(V=torch.ones(32), all_to_all=False, **HALF)
            ),
            "RSynaptic, dense": lambda: xor_net(
                neuron.RSynaptic(alpha=0.5, linear_features=32, **HALF)
            ),
            "RecurrentLIFNode, dense": lambda: xor_net(recurrent_lif(32)),
        },
    ),
    "randman": (
        randman,
        {
            "LIFNode": lambda: timing_net(lif()),
            "Synaptic": lambda: timing_net(learned_synaptic()),
            "SynapseFilter, LIFNode": lambda: timing_net(learned_filter(), lif()),
        },
    ),
    "pixels": (
        pixels,
        {
            "LIFNode": lambda: pixel_net(lif),
            "PSN": lambda: pixel_net(lambda: neuron.PSN(64)),
        },
    ),
}


def train(net: nn.Module, task: Task) -> float:
    """Train a network and return the share of test samples that it gets right."""
    optimizer = torch.optim.Adam(net.parameters(), task.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task.updates)
    for x_seq, labels in task.batches:
        functional.reset_net(net)
        loss = F.cross_entropy(task.readout(net(x_seq)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    functional.reset_net(net.eval())
    with torch.no_grad():
        x_seq, labels = task.test
        guesses = task.readout(net(x_seq)).argmax(1)
    return (guesses == labels).double().mean().item()


def measure(name: str, network: str, seed: int) -> dict[str, object]:
    """The row of one network trained with one seed."""
    load = os.getloadavg()[0]
    make_task, networks = TASKS[name]
    torch.manual_seed(seed)
    task, net = make_task(seed), networks[network]()
    start = time.perf_counter()
    accuracy = train(net, task)
    return {
        "date": datetime.date.today().isoformat(),
        "torch": torch.__version__,
        "machine": f"{os.cpu_count()} cores {platform.machine()}",
        "load": f"{load:.1f}",
        "task": name,
        "network": network,
        "seed": seed,
        "parameters": sum(p.numel() for p in net.parameters()),
        "updates": task.updates,
        "test_accuracy": f"{accuracy:.4f}",
        "seconds": f"{time.perf_counter() - start:.1f}",
    }


def main() -> None:
    """Train everything, write the table, print the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=TASKS, nargs="*", default=list(TASKS))
    parser.add_argument("--out", type=Path, default=TABLE, help="the table to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in arguments.task:
        for network in TASKS[name][1]:
            rows += [measure(name, network, seed) for seed in SEEDS]
            mean = statistics.mean(float(str(row["test_accuracy"])) for row in rows[-len(SEEDS) :])
            print(f"{name:<12} {network:<26} {mean:.4f}", flush=True)
    with open(arguments.out, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()

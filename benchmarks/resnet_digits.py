"""Does a plain-torch resnet18, its ReLUs replaced by neurons in one line, learn as its twin does?

Trains the ReLU net, and the net with neurons converted in place and folded, on scikit-learn's
digits, and writes a row for each to resnet_digits.csv. A still image is shown at every step; the
score is the mean over the steps. Accuracies are those of the last epoch on the test images. The
8x8 images are doubled in size, as the stem alone leaves a quarter of each side.
"""

import argparse
import csv
import datetime
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spikeframe import convert, data, functional, layer, neuron, surrogate

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from resnet import resnet18  # noqa: E402

TABLE = Path(__file__).with_suffix(".csv")
COLUMNS = (
    *("date", "torch", "machine", "load", "threads", "network", "width", "parameters", "T"),
    *("split", "seed", "epochs", "batch", "size", "test_accuracy", "seconds"),
)
BATCH = 32
SIZE = 16


def neurons() -> nn.Module:
    """What takes the place of a ReLU."""
    return neuron.LIFNode(
        tau=1.5,
        decay_input=False,
        v_threshold=0.5,
        surrogate_function=surrogate.ATan(0.7),
        detach_reset=True,
    )


def spiking(net: nn.Module) -> nn.Module:
    """Its activations replaced."""
    return convert.replace_activations(net, nn.ReLU, neurons)


# The one line of each way.
WAYS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "relu": lambda net: net,
    "converted": lambda net: convert.to_layers(spiking(net), "m"),
    "folded": lambda net: layer.MultiStep(spiking(net)),
}


def scores(net: nn.Module, images: Tensor, steps: int) -> Tensor:
    """Class scores [N, 10]."""
    images = F.interpolate(images, size=(SIZE, SIZE), mode="bilinear")
    if steps == 0:
        result: Tensor = net(images)
        return result
    functional.reset_net(net)
    result = net(images.expand(steps, *images.shape)).mean(0)
    return result


def train(way: str, options: argparse.Namespace, seed: int) -> dict[str, object]:
    """One net, from its seed; the row of the table."""
    torch.manual_seed(seed)
    split = data.load_digits(split=options.split)
    net = WAYS[way](resnet18(num_classes=10, in_channels=1, width=options.width))
    steps = 0 if way == "relu" else options.T
    batches = -(-len(split.train) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), lr=options.lr, weight_decay=0.05)
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.lr, total_steps=options.epochs * batches
    )
    load, start = os.getloadavg()[0], time.perf_counter()
    for _ in range(options.epochs):
        net.train()
        for index in torch.randperm(len(split.train)).split(BATCH):
            images, labels = split.train[index]
            optimizer.zero_grad()
            F.cross_entropy(scores(net, images, steps), labels).backward()
            optimizer.step()
            rates.step()
    seconds = time.perf_counter() - start
    net.eval()
    with torch.no_grad():
        right = scores(net, split.test.images, steps).argmax(1) == split.test.labels
    return {
        "date": datetime.date.today().isoformat(),
        "torch": torch.__version__,
        "machine": f"{os.cpu_count()} cores {platform.machine()}",
        "load": f"{load:.1f}",
        "threads": torch.get_num_threads(),
        "network": way,
        "width": options.width,
        "parameters": sum(p.numel() for p in net.parameters()),
        "T": steps or "",
        "split": options.split,
        "seed": seed,
        "epochs": options.epochs,
        "batch": BATCH,
        "size": SIZE,
        "test_accuracy": f"{right.double().mean().item():.6f}",
        "seconds": f"{seconds:.1f}",
    }


def main() -> None:
    """Train, append to the table, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TABLE, help="the table to append to")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--width", type=int, default=32, help="channels of the stem")
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("-T", type=int, default=4)
    parser.add_argument("--split", default="random", choices=["random", "writers"])
    options = parser.parse_args()
    new = not options.out.exists()
    with open(options.out, "a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        for seed in options.seeds:
            for way in options.ways:
                row = train(way, options, seed)
                writer.writerow(row)
                file.flush()
                print(f"{way:<10} seed {seed}: {row['test_accuracy']} in {row['seconds']} s")


if __name__ == "__main__":
    main()

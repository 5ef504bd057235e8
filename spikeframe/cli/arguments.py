"""The command line of ``spikeframe``: what argparse reads, and its help."""

import argparse
from typing import Any, NoReturn

from .. import __version__
from ..data import IMAGE_SETS
from .options import NEURONS, OPTIMIZERS, SPLITS

__all__ = ["parse"]

EPILOG = """examples:
  spikeframe train                                  handwritten digits, on the CPU, offline
  spikeframe train --neuron plif -T 8 --seed 1
  spikeframe train --data mnist --data-dir ~/mnist --device cuda --amp
  spikeframe train --resume runs/digits-1           continue an interrupted run
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage in front of it."""

    def error(self, message: str) -> NoReturn:
        """Print the line, exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def parse(arguments: list[str] | None) -> dict[str, Any]:
    """The options that were given, by the names of ``Options``; the rest is left out."""
    parser = Parser(prog="spikeframe", description="Spiking neural networks in PyTorch.")
    parser.add_argument("--version", action="version", version=f"spikeframe {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    train = commands.add_parser(
        "train",
        help="train a spiking network on images",
        description="Train a spiking network on images, and its twin with ReLU beside it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    _add_data(train)
    _add_network(train)
    _add_training(train)
    _add_machine(train)
    _add_files(train)
    return vars(parser.parse_args(arguments))


def _add_data(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data",
        choices=IMAGE_SETS,
        help="what to learn (default: digits, which come with scikit-learn)",
    )
    group.add_argument(
        "--data-dir", metavar="D", help="folder with the published files; never downloaded"
    )
    group.add_argument(
        "--split",
        choices=SPLITS,
        help="test images of digits: a random fifth, or the last 360, which other writers wrote "
        "(default: random)",
    )


def _add_network(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("network")
    group.add_argument(
        "-T", dest="steps", type=int, metavar="N", help="time steps per image (default: 4)"
    )
    group.add_argument("--neuron", choices=NEURONS, help="the spiking neuron (default: lif)")
    group.add_argument(
        "--tau",
        type=float,
        help="membrane time constant of lif, initial one of plif, in time steps, more than 1 "
        "(default: 2)",
    )
    group.add_argument(
        "--baseline",
        action=argparse.BooleanOptionalAction,
        help="also train the same network with ReLU (default: yes)",
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    rates = ", ".join(f"{rate:g} for {name}" for name, rate in OPTIMIZERS.items())
    group = parser.add_argument_group("training")
    group.add_argument("--epochs", type=int, metavar="N", help="(default: 15; other data: 10)")
    group.add_argument(
        "-b", dest="batch_size", type=int, metavar="N", help="images per batch (default: 64)"
    )
    group.add_argument("--opt", choices=OPTIMIZERS, help="optimiser (default: adamw)")
    group.add_argument("--lr", type=float, help=f"first learning rate (default: {rates})")
    group.add_argument(
        "--seed", type=int, metavar="N", help="of weights, batches and random split (default: 0)"
    )


def _add_machine(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("machine")
    group.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, mps (default: cpu)")
    group.add_argument(
        "--amp",
        action=argparse.BooleanOptionalAction,
        help="bfloat16 convolutions and products, neurons in float32; slow on most CPUs "
        "(default: no)",
    )
    group.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="CPU threads (default: 1 for images up to 16x16, else torch's own choice)",
    )
    group.add_argument(
        "-j",
        dest="workers",
        type=int,
        metavar="N",
        help="processes that prepare batches, the same ones for any number (default: 0)",
    )


def _add_files(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("files")
    group.add_argument(
        "--out-dir", metavar="D", help="a new or empty folder (default: runs/DATA-1, -2, ...)"
    )
    group.add_argument(
        "--resume",
        metavar="RUN",
        help="continue from a run's folder or checkpoint, with its options",
    )

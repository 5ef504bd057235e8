"""The command line of ``spikeframe``: what argparse reads, and its help."""

import argparse
from typing import Any, NoReturn

from .. import __version__
from .options import DATA, NEURONS, OPTIMIZERS, SPLIT_BY, SPLITS

__all__ = ["parse"]

EPILOG = """examples:
  spikeframe train                                  handwritten digits, on the CPU, offline
  spikeframe train --neuron plif -T 8 --seed 1
  spikeframe train --data event-digits              a simulated event camera looks at them
  spikeframe train --data mnist --data-dir ~/mnist --device cuda --amp
  torchrun --nproc-per-node 2 -m spikeframe train --data dvs-gesture --data-dir ~/dvs
  spikeframe train --resume runs/digits-1           continue an interrupted run
"""


SHOW_EPILOG = """examples:
  spikeframe show event-digits --index 3 --out three.gif
  spikeframe show user01_led.aedat -T 32
  spikeframe show shd --data-dir ~/shd
"""


PROFILE_EPILOG = """examples:
  spikeframe profile                                the default network, on digits
  spikeframe profile runs/digits-1 --inference      a trained one, as it classifies
  spikeframe profile --data event-digits -T 12 -b 32 --csv layers.csv
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage in front of it."""

    def error(self, message: str) -> NoReturn:
        """Print the line, exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def parse(arguments: list[str] | None) -> dict[str, Any]:
    """The options that were given, by their names in ``Options``; the rest is left out.

    The command itself is there too, as ``command``.
    """
    parser = Parser(prog="spikeframe", description="Spiking neural networks in PyTorch.")
    parser.add_argument("--version", action="version", version=f"spikeframe {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    train = commands.add_parser(
        "train",
        help="train a spiking network on images or events",
        description="Train a spiking network on images or events, and its twin with ReLU.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    train.set_defaults(command="train")
    _add_data(train)
    _add_network(train)
    _add_training(train)
    _add_machine(train)
    _add_files(train)
    _add_show(commands)
    _add_profile(commands)
    return vars(parser.parse_args(arguments))


def _add_data(parser: argparse.ArgumentParser) -> None:
    group = _add_set(parser)
    group.add_argument(
        "--validation",
        type=float,
        metavar="F",
        help="share of each class of the training set that is held out, to choose an epoch by "
        "(default: 0.1 for events, which ssc brings itself; 0 for images)",
    )


def _add_set(parser: argparse.ArgumentParser) -> Any:
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data",
        choices=DATA,
        metavar="SET",
        help=f"what to learn: {', '.join(DATA)} (default: digits, which come with scikit-learn)",
    )
    group.add_argument(
        "--data-dir", metavar="D", help="folder with the published files; never downloaded"
    )
    group.add_argument(
        "--split",
        choices=SPLITS,
        help="test samples of digits and event-digits: a random fifth, or the last 360, which "
        "other writers wrote; of cifar10-dvs: a random tenth, or the first of each class "
        "(default: random)",
    )
    group.add_argument(
        "--split-by",
        choices=SPLIT_BY,
        help="events into frames of equal time or equal number (default: number for dvs-gesture "
        "and cifar10-dvs, else time)",
    )
    group.add_argument(
        "--cache-dir",
        metavar="D",
        help="folder where frames of events are kept (default: spikeframe-frames in --data-dir)",
    )
    return group


def _add_network(parser: argparse.ArgumentParser) -> None:
    group = _add_neuron(parser)
    group.add_argument(
        "--baseline",
        action=argparse.BooleanOptionalAction,
        help="also train the same network with ReLU (default: yes; shd, ssc: no)",
    )


def _add_neuron(parser: argparse.ArgumentParser) -> Any:
    group = parser.add_argument_group("network")
    group.add_argument(
        "-T",
        dest="steps",
        type=int,
        metavar="N",
        help="time steps per image, frames per recording (default: by the data; digits: 4)",
    )
    group.add_argument("--neuron", choices=NEURONS, help="the spiking neuron (default: lif)")
    group.add_argument(
        "--tau",
        type=float,
        help="membrane time constant of lif, initial one of plif, in time steps, more than 1 "
        "(default: 2; shd, ssc: 10)",
    )
    return group


def _add_training(parser: argparse.ArgumentParser) -> None:
    rates = ", ".join(f"{rate:g} for {name}" for name, rate in OPTIMIZERS.items())
    group = parser.add_argument_group("training")
    group.add_argument(
        "--epochs", type=int, metavar="N", help="(default: by the data; digits: 15)"
    )
    _add_batch_size(group, "samples per batch, of all processes")
    group.add_argument("--opt", choices=OPTIMIZERS, help="optimiser (default: adamw)")
    group.add_argument("--lr", type=float, help=f"first learning rate (default: {rates})")
    group.add_argument(
        "--seed", type=int, metavar="N", help="of weights, batches and random split (default: 0)"
    )


def _add_batch_size(group: Any, what: str) -> None:
    group.add_argument(
        "-b",
        dest="batch_size",
        type=int,
        metavar="N",
        help=f"{what} (default: by the data; digits: 64)",
    )


def _add_machine(parser: argparse.ArgumentParser) -> None:
    group = _add_device(parser)
    group.add_argument(
        "-j",
        dest="workers",
        type=int,
        metavar="N",
        help="processes that prepare batches, the same ones for any number (default: 0)",
    )


def _add_device(parser: argparse.ArgumentParser) -> Any:
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
    return group


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


def _add_show(commands: Any) -> None:
    parser = commands.add_parser(
        "show",
        help="draw a recording of events, or samples of a data set",
        description="Draw a recording as a sheet of frames (PNG), a moving picture (GIF) or, of "
        "an ear, a raster of spikes; of image sets, the first images.",
        epilog=SHOW_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.set_defaults(command="show")
    parser.add_argument(
        "what", metavar="FILE|SET", help=f"a file of events, or one of {', '.join(DATA)}"
    )
    parser.add_argument("--data-dir", metavar="D", help="folder with the data set's files")
    parser.add_argument(
        "--index", type=int, metavar="N", help="which sample of the test set (default: 0)"
    )
    parser.add_argument(
        "-T", dest="steps", type=int, metavar="N", help="frames, of equal time (default: 16)"
    )
    parser.add_argument(
        "--sensor",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        help="height and width of the sensor of a file (default: as far as there are events)",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="where to, as .png or .gif (default: a .png in this folder, named by what is shown)",
    )


def _add_profile(commands: Any) -> None:
    parser = commands.add_parser(
        "profile",
        help="tell where the time of a network goes, layer by layer",
        description="Run a network on a batch of its data and tell what each layer takes: time "
        "forward and backward, bytes, operations, all beside the limits of this machine.",
        epilog=PROFILE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.set_defaults(command="profile")
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="a run's folder or checkpoint, for its network, weights and options (default: a new "
        "network, by the options)",
    )
    _add_set(parser)
    group = _add_neuron(parser)
    _add_batch_size(group, "samples of the batch")
    group.add_argument("--seed", type=int, metavar="N", help="of new weights (default: 0)")
    _add_device(parser)
    group = parser.add_argument_group("measurement")
    group.add_argument(
        "--inference",
        action="store_true",
        help="the network as it classifies, without gradients (default: a step of training)",
    )
    group.add_argument(
        "--runs", type=int, metavar="N", help="timed runs, of which medians count (default: 5)"
    )
    group.add_argument("--csv", metavar="FILE", help="also write the layers to a table")

"""The ``spikeframe`` command: reads the options, runs the job, words what goes wrong."""

import sys

from .arguments import parse
from .errors import CommandError
from .train import Interrupted, train

__all__ = ["main"]

WRONG_USE, INTERRUPTED = 2, 130  # 128 + SIGINT, as shells expect


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; what the user can mend is one line on stderr and exit code 2.

    Arguments:
        arguments: Words after the program's name; those of this process by default.
    """
    given = parse(arguments)
    try:
        train(given)
    except CommandError as error:
        print(f"spikeframe train: error: {error}", file=sys.stderr)
        return WRONG_USE
    except Interrupted as stop:
        print(f"spikeframe train: {stop}", file=sys.stderr)
        return INTERRUPTED
    except KeyboardInterrupt:
        print("spikeframe train: interrupted before the training began", file=sys.stderr)
        return INTERRUPTED
    return 0

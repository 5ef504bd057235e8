"""The ``spikeframe`` command: reads the options, runs the job, words what goes wrong."""

import sys

from .arguments import parse
from .errors import CommandError
from .group import rank
from .profile import profile
from .show import show
from .train import Interrupted, train

__all__ = ["main"]

WRONG_USE, INTERRUPTED = 2, 130  # 128 + SIGINT, as shells expect
COMMANDS = {"train": train, "show": show, "profile": profile}
BEFORE = {"train": " before the training began"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; what the user can mend is one line on stderr and exit code 2.

    Arguments:
        arguments: Words after the program's name; those of this process by default.
    """
    given = parse(arguments)
    command = given.pop("command")
    try:
        COMMANDS[command](given)
    except CommandError as error:
        _say(f"spikeframe {command}: error: {error}")
        return WRONG_USE
    except Interrupted as stop:
        _say(f"spikeframe {command}: {stop}")
        return INTERRUPTED
    except KeyboardInterrupt:
        _say(f"spikeframe {command}: interrupted{BEFORE.get(command, '')}")
        return INTERRUPTED
    return 0


def _say(line: str) -> None:
    """One line for all processes that torchrun has started."""
    if rank() == 0:
        print(line, file=sys.stderr)

"""The options of ``spikeframe train`` as values: defaults, limits, and what must agree."""

import dataclasses
import math
from typing import Any

import torch

from ..data import EVENT_SETS, IMAGE_SETS
from .errors import CommandError
from .recipes import RECIPES

__all__ = [
    "DATA",
    "NEURONS",
    "OPTIMIZERS",
    "SPLITS",
    "SPLIT_BY",
    "Options",
    "complete",
    "continued",
    "fixed_values",
    "saved_values",
]

DATA = (*IMAGE_SETS, *EVENT_SETS)
SPLITS = ("random", "writers", "first")
SPLIT_BY = ("time", "number")
NEURONS = ("if", "lif", "plif")
# The optimisers with their default learning rates.
OPTIMIZERS = {"adamw": 3e-3, "adam": 3e-3, "sgd": 0.1}


@dataclasses.dataclass(frozen=True)
class Options:
    """Everything that decides a run; the fields are the options of the command line."""

    data: str = "digits"
    data_dir: str | None = None
    split: str = "random"
    validation: float = 0.0
    split_by: str = "time"
    steps: int = 4
    epochs: int = 15
    batch_size: int = 64
    lr: float = OPTIMIZERS["adamw"]
    opt: str = "adamw"
    neuron: str = "lif"
    tau: float = 2.0
    seed: int = 0
    amp: bool = False
    device: str = "cpu"
    threads: int | None = None
    workers: int = 0
    processes: int = 1
    baseline: bool = True
    cache_dir: str | None = None
    out_dir: str | None = None
    resume: str | None = None


# What the numbers of a run depend on: a resumed run must not change them.
FIXED = (
    *("data", "split", "validation", "split_by", "steps", "epochs", "batch_size", "lr"),
    *("opt", "neuron", "tau", "seed", "amp", "processes"),
)
# What belongs to one call of the command and is not kept in a checkpoint.
OF_THE_CALL = ("out_dir", "resume")
SPELLED = {
    "steps": "-T",
    "batch_size": "-b",
    "workers": "-j",
    "processes": "torchrun --nproc-per-node",
}
SMALLEST = {"steps": 1, "epochs": 1, "batch_size": 1, "seed": 0, "workers": 0, "threads": 1}
LARGEST_SEED = 2**63 - 1  # torch takes no larger one
CHOICES = {
    "data": DATA,
    "split": SPLITS,
    "split_by": SPLIT_BY,
    "opt": tuple(OPTIMIZERS),
    "neuron": NEURONS,
}
# What the recipe of a data set fills in.
OF_THE_RECIPE = (*("validation", "split_by", "steps", "epochs", "batch_size", "tau", "baseline"),)


def complete(given: dict[str, Any]) -> Options:
    """Fill in the defaults of a new run.

    Raises:
        CommandError: a value is out of range, or two disagree.
    """
    if given.get("neuron") == "if" and "tau" in given:
        raise CommandError("--tau has no effect on --neuron if, which does not leak: leave it out")
    data = given.get("data", Options.data)
    for name in ("split_by", "cache_dir"):
        if name in given and data in IMAGE_SETS:
            raise CommandError(f"{spelled(name)} is for recordings of events, {data} are images")
    recipe = {name: getattr(RECIPES[data], name) for name in OF_THE_RECIPE}
    rate = OPTIMIZERS.get(given.get("opt", Options.opt))
    return checked(Options(**{**recipe, "lr": rate, **given}))


def continued(saved: dict[str, Any], given: dict[str, Any], source: object) -> Options:
    """The options of a resumed run: those of its checkpoint, with what may change changed.

    Raises:
        CommandError: an option was given that the checkpoint contradicts, or the checkpoint's
            are not such options.
    """
    expected = {field.name for field in dataclasses.fields(Options)} - set(OF_THE_CALL)
    if set(saved) != expected:
        raise CommandError(f"{source} is damaged: its options are not those of spikeframe train")
    if given.get("processes", 1) != saved["processes"]:
        raise CommandError(
            f"{source} was made by {saved['processes']} processes, this is a run of "
            f"{given.get('processes', 1)}: use torchrun --nproc-per-node {saved['processes']}"
        )
    for name in FIXED:
        if name in given and given[name] != saved[name]:
            raise CommandError(
                f"{spelled(name)} {given[name]} disagrees with {source}, made with "
                f"{spelled(name)} {saved[name]}: leave it out, or start a new run without --resume"
            )
    return checked(Options(**{**saved, **given}))


def saved_values(options: Options) -> dict[str, Any]:
    """What a checkpoint keeps of the options."""
    values = dataclasses.asdict(options)
    return {name: value for name, value in values.items() if name not in OF_THE_CALL}


def fixed_values(options: Options) -> dict[str, Any]:
    """What two checkpoints of the same run have in common."""
    return {name: getattr(options, name) for name in FIXED}


def spelled(name: str) -> str:
    """An option as it is written on the command line."""
    return SPELLED.get(name, f"--{name.replace('_', '-')}")


def checked(options: Options) -> Options:
    """Return the options if every value is of its type and in its range.

    Raises:
        CommandError: one is not.
    """
    for field in dataclasses.fields(Options):
        _check_type(field.name, getattr(options, field.name), field.type)
    for name, least in SMALLEST.items():
        value = getattr(options, name)
        if value is not None and value < least:
            raise CommandError(f"{spelled(name)} must be at least {least}, got {value}")
    for name, choices in CHOICES.items():
        if getattr(options, name) not in choices:
            allowed = ", ".join(choices)
            raise CommandError(
                f"{spelled(name)} must be one of {allowed}, got {getattr(options, name)!r}"
            )
    _check_numbers(options)
    if not 0 <= options.validation < 1:
        raise CommandError(
            f"--validation must be at least 0 and less than 1, got {options.validation}"
        )
    _check_device(options.device)
    return options


def _check_type(name: str, value: Any, allowed: Any) -> None:
    fits = isinstance(value, allowed) or (allowed is float and isinstance(value, int))
    if not fits or (isinstance(value, bool) and allowed is not bool):
        raise CommandError(f"{spelled(name)} has the value {value!r}, which is of the wrong type")


def _check_numbers(options: Options) -> None:
    if not (options.lr > 0 and math.isfinite(options.lr)):
        raise CommandError(f"--lr must be finite and greater than 0, got {options.lr}")
    if not (options.tau > 1 and math.isfinite(options.tau)):
        raise CommandError(
            f"--tau must be finite and greater than 1 (in time steps), got {options.tau}: for a "
            "neuron without leak use --neuron if"
        )
    if options.seed > LARGEST_SEED:
        raise CommandError(f"--seed must be less than 2**63, got {options.seed}")


def _check_device(name: str) -> None:
    try:
        torch.zeros((), device=torch.device(name)).item()  # a value that comes back
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CommandError(
            f"--device {name} cannot be used here ({reason}): use --device cpu"
        ) from error

"""``spikeframe profile``: where the time of a network goes."""

import csv
import dataclasses
import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import __version__, encoding, monitor
from ..data import Split
from .errors import CommandError
from .folder import write_whole
from .learner import SPIKING, Learner, learner
from .options import Options, checked, complete, continued
from .samples import Samples, load_samples
from .train import Source, read_source, set_up_machine

__all__ = ["profile"]

RUNS = 5
OWN = ("run", "inference", "runs", "csv")
# What the weights of a run do not depend on.
FREE = ("steps", "batch_size")


def profile(given: dict[str, Any]) -> None:
    """Run the command with the options that were given.

    Arguments:
        given: Values by the names of the options; the rest takes its default.

    Raises:
        CommandError: something is wrong that the user can mend.
    """
    own = {name: given[name] for name in OWN if name in given}
    given = {name: value for name, value in given.items() if name not in own}
    runs, inference = own.get("runs", RUNS), own.get("inference", False)
    if runs < 1:
        raise CommandError(f"--runs must be at least 1, got {runs}")
    source = read_source(own["run"]) if "run" in own else None
    options = complete(given) if source is None else _options_of(source, given)
    split = load_samples(options)
    options = set_up_machine(options, split)
    net = _learner_of(source, split, options)
    samples, labels = _batch(split, options)
    print(_title(net, samples, options, inference), flush=True)
    found = _profile(net, samples, labels, runs, inference)
    print(f"\n{found}")
    if "csv" in own:
        write_whole(Path(own["csv"]).expanduser(), _table(found))


def _options_of(source: Source, given: dict[str, Any]) -> Options:
    """Those of the run, with what its weights do not depend on as given."""
    path, checkpoint = source
    free = {name: given[name] for name in FREE if name in given}
    others = {name: value for name, value in given.items() if name not in free}
    processes = {"processes": checkpoint.options.get("processes", 1)}
    options = continued(checkpoint.options, {**others, **processes}, path)
    return checked(dataclasses.replace(options, **free))


def _learner_of(source: Source | None, split: Split[Samples], options: Options) -> Learner:
    if source is None:
        return learner(SPIKING, split.train, options, batches=1)
    path, checkpoint = source
    try:
        found = learner(checkpoint.role, split.train, options, batches=1)
        found.net.load_state_dict(checkpoint.net)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CommandError(f"{path} does not fit the network: {reason}") from error
    return found


def _batch(split: Split[Samples], options: Options) -> tuple[Tensor, Tensor]:
    """The first training samples; recordings that the cache lacks are counted into frames."""
    count = min(options.batch_size, len(split.train))
    try:
        samples, labels = split.train[torch.arange(count)]
    except (ValueError, OSError) as error:
        raise CommandError(error) from error
    return samples.to(options.device), labels.to(options.device)


def _title(net: Learner, samples: Tensor, options: Options, inference: bool) -> str:
    parameters = sum(p.numel() for p in net.net.parameters())
    shape = "x".join(map(str, samples.shape))
    threads = f"{options.threads} thread{'s' if options.threads != 1 else ''}"
    what = "inference" if inference else "a step of training without its optimiser"
    return (
        f"spikeframe {__version__}: {options.data}, {net.title}, {parameters} parameters, on "
        f"{options.device} with {threads}\n{what}, input {shape}"
    )


def _profile(
    net: Learner, samples: Tensor, labels: Tensor, runs: int, inference: bool
) -> monitor.NetProfile:
    x_seq = encoding.direct(samples, net.steps) if samples.dim() == 4 else samples
    net.net.train(not inference)
    try:
        with torch.autocast(net.device.type, torch.bfloat16, enabled=net.amp):
            return monitor.profile(
                net.net,
                x_seq,
                backward=not inference,
                loss=lambda scores: net.loss(scores.float(), labels),
                runs=runs,
            )
    except ValueError as error:
        raise CommandError(error) from error


def _table(found: monitor.NetProfile) -> bytes:
    rows = found.rows()
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()

"""``spikeframe train``: from the options to a trained network and its report."""

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..data import ImageSet, Split
from .checkpoint import Checkpoint, load
from .errors import CommandError
from .fit import Fit
from .folder import RunFolder, claim, claim_next
from .group import Group, joined, members
from .learner import RELU, SPIKING
from .options import Options, complete, continued, fixed_values
from .progress import counting
from .report import write_report
from .samples import Samples, load_samples, prepare, recordings_to_prepare

__all__ = ["Interrupted", "read_source", "set_up_machine", "train"]

# Needed at the end of a run, so missed at its beginning.
OPTIONAL = ("matplotlib.figure", "tqdm")
# Images up to this side are too small to share among threads. On 2 shared cores the digits took
# 13 s with one thread and 24 s with two (benchmarks/digits.csv), on a busy machine about 6 times
# as long; there even 32x32 lost by the second thread, but not where cores are idle.
SMALL_SIDE = 16

Source = tuple[Path, Checkpoint]


class Interrupted(Exception):
    """The user stopped the run; its text says how to go on."""


def train(given: dict[str, Any]) -> None:
    """Run the command with the options that were given.

    Arguments:
        given: Values by the names of :class:`Options`; the rest takes its default.

    Raises:
        CommandError: something is wrong that the user can mend.
        Interrupted: the user pressed Ctrl-C after the training had begun.
    """
    _require_packages()
    source = read_source(given["resume"]) if "resume" in given else None
    given = {**given, "processes": members()}
    options = complete(given) if source is None else continued(source[1].options, given, source[0])
    split = load_samples(options)
    options = set_up_machine(options, split)
    with joined(torch.device(options.device)) as group:
        _train(options, split, source, group)


def _train(options: Options, split: Split[Samples], source: Source | None, group: Group) -> None:
    with counting(recordings_to_prepare(split, group), silent=not group.first) as on_recording:
        prepare(split, group, on_recording)
    # What one process reads may be older than what another does.
    source = group.once(lambda: source)
    spiking = Fit(SPIKING, split, options, source, group)
    folder = group.once(lambda: _choose_folder(options, source))
    twin_source = group.once(lambda: _twin_source(folder, options))
    if group.first:
        _announce(options, split, spiking, folder)
    try:
        spiking.run(folder)
        twin = _train_twin(split, options, folder, twin_source, group)
        if group.first:
            write_report(folder, split, spiking, twin)
        group.wait()
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted after epoch {len(spiking.rows)} of {options.epochs}; continue with: "
            f"spikeframe train --resume {folder.path}"
        ) from None


def _require_packages() -> None:
    for name in OPTIONAL:
        try:
            importlib.import_module(name)
        except ImportError as error:
            package = name.partition(".")[0]
            raise CommandError(
                f"{package} is needed to show the training and does not import here ({error}): "
                "pip install 'spikeframe[train]'"
            ) from error


def read_source(run: str) -> Source:
    """The checkpoint of a run's folder, or in a file, with its path.

    Raises:
        CommandError: it cannot be read.
    """
    path = Path(run)
    path = RunFolder(path).checkpoint if path.is_dir() else path
    return path, load(path)


def _twin_source(folder: RunFolder, options: Options) -> Source | None:
    """The twin's checkpoint where a run had come so far; it must be of the same run."""
    path = folder.baseline.checkpoint
    if not (options.baseline and path.exists()):
        return None
    checkpoint = load(path)
    continued(checkpoint.options, fixed_values(options), path)
    return path, checkpoint


def set_up_machine(options: Options, split: Split[Samples]) -> Options:
    """Set what holds for the whole process; return the options with the threads filled in."""
    threads = options.threads
    if threads is None:
        small = max(split.train.shape[1:]) <= SMALL_SIDE
        threads = 1 if small else torch.get_num_threads()
    torch.set_num_threads(threads)
    # cuDNN's fastest convolutions add in any order, and a resumed run would not repeat them.
    torch.backends.cudnn.deterministic = True
    return dataclasses.replace(options, threads=threads)


def _choose_folder(options: Options, source: Source | None) -> RunFolder:
    """The run's own folder where it continues there, else a new one."""
    if source is not None:
        own = RunFolder(source[0].parent)
        stays = options.out_dir is None or Path(options.out_dir).resolve() == own.path.resolve()
        if stays and source[0].name == own.checkpoint.name:
            return own
    return claim_next(options.data) if options.out_dir is None else claim(Path(options.out_dir))


def _announce(options: Options, split: Split[Samples], spiking: Fit, folder: RunFolder) -> None:
    parameters = sum(p.numel() for p in spiking.learner.net.parameters())
    shape = "x".join(map(str, split.train.shape))
    kind = "images" if isinstance(split.train, ImageSet) else f"recordings {options.steps} x"
    valid = "" if split.valid is None else f"{len(split.valid)} to validate, "
    threads = f"{options.threads} thread{'s' if options.threads != 1 else ''}"
    processes = f", {options.processes} processes" if options.processes > 1 else ""
    print(
        f"spikeframe {__version__}: {options.data}, {len(split.train)} {kind} {shape} to train, "
        f"{valid}{len(split.test)} to test\n"
        f"{spiking.learner.title}: {parameters} parameters, on {options.device} with {threads}"
        f"{processes}, results in {folder.path}",
        flush=True,
    )


def _train_twin(
    split: Split[Samples],
    options: Options,
    folder: RunFolder,
    source: Source | None,
    group: Group,
) -> Fit | None:
    """The same network with ReLU, by the same recipe."""
    if not options.baseline:
        return None
    twin = Fit(RELU, split, options, source, group)
    twin.run(folder.baseline)
    return twin

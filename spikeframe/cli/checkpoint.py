"""The state of a run after an epoch: saved whole, read strictly, refused where it does not fit."""

import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from .errors import CommandError
from .folder import write_whole

__all__ = ["Checkpoint", "load", "save", "save_weights"]

FORMAT, VERSION = "spikeframe train", 2
KINDS: dict[str, type] = {
    "role": str,
    "options": dict,
    "data": int,
    "rows": list,
    "net": dict,
    "optimizer": dict,
    "scheduler": dict,
    "random": dict,
}


@dataclass(frozen=True)
class Checkpoint:
    """Everything that the next epoch depends on.

    Arguments:
        role: What was trained: ``spiking``, or its twin ``relu``.
        options: The options of the run.
        data: Checksum of the training samples and labels.
        rows: The metrics of each finished epoch; their number is the epoch to go on with.
        net: The state_dict of the network.
        optimizer: That of the optimiser.
        scheduler: That of the learning rate's schedule.
        random: States of the random generators.
    """

    role: str
    options: dict[str, Any]
    data: int
    rows: list[dict[str, float]]
    net: dict[str, Any]
    optimizer: dict[str, Any]
    scheduler: dict[str, Any]
    random: dict[str, torch.Tensor]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the one before stays until this one is whole.

    Raises:
        CommandError: it cannot be written.
    """
    values = {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "version": VERSION, **values}, buffer)
    write_whole(path, buffer.getvalue())


def save_weights(path: Path, net: dict[str, Any]) -> None:
    """Write the state_dict of a network.

    Raises:
        CommandError: it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(net, buffer)
    write_whole(path, buffer.getvalue())


def load(path: Path) -> Checkpoint:
    """Read a checkpoint: tensors and plain values, never code.

    Raises:
        CommandError: it cannot be read, is damaged, or was not written by this command.
    """
    content = _read(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CommandError(f"{path} is not a checkpoint of spikeframe train")
    if content.get("version") != VERSION:
        raise CommandError(
            f"{path} is a checkpoint of version {content.get('version')}, this spikeframe reads "
            f"version {VERSION}: use the release that wrote it"
        )
    for name, kind in KINDS.items():
        if not isinstance(content.get(name), kind):
            raise CommandError(f"{path} is damaged: its entry {name!r} is not a {kind.__name__}")
    return Checkpoint(**{name: content[name] for name in KINDS})


def _read(path: Path) -> Any:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from error
    try:
        # torch does not compare the archive's checksums; zipfile does.
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            wrong = archive.testzip()
        if wrong is None:
            return torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged archive or pickle fails in whatever line reads it, with any exception.
        reason = str(error).strip().partition("\n")[0]
        raise CommandError(f"{path} is damaged or not a checkpoint: {reason}") from error
    raise CommandError(f"{path} is damaged: the checksum of {wrong} is wrong")

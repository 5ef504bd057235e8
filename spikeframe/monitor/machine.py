"""What a machine can do, measured: its clock, a copy, a matrix product, the memory of a call."""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Clock", "Limits", "clock_of", "limits_of", "peak_bytes"]

# Large enough to be more than a start, small enough to take milliseconds.
COPIED = {"cpu": 2**24, "cuda": 2**28}
SIDE = {"cpu": 768, "cuda": 8192}
TRIES = 5


class Clock(NamedTuple):
    """How time is told on a device.

    Arguments:
        name: What it tells.
        mark: A moment.
        seconds: From one moment to another, once :attr:`wait` has returned.
        wait: Waits for the device.
    """

    name: str
    mark: Callable[[], Any]
    seconds: Callable[[Any, Any], float]
    wait: Callable[[], None]


class Limits(NamedTuple):
    """What no layer can pass by much.

    Arguments:
        copy: Bytes read and written a second when a tensor is copied.
        product: Floating-point operations a second of a matrix product.
    """

    copy: float
    product: float


def clock_of(device: torch.device) -> Clock:
    """The process's own time with one CPU thread, which other processes take nothing from; else
    the time that passes; on a device its events.

    Raises:
        ValueError: The device is neither a CPU nor a CUDA one.
    """
    if device.type == "cuda":
        return Clock(
            "time on the device",
            lambda: _event(device),
            lambda start, end: float(start.elapsed_time(end)) / 1e3,
            lambda: torch.cuda.synchronize(device),
        )
    if device.type != "cpu":
        raise ValueError(f"time is measured on cpu and cuda, got {device}: move the net there")
    alone = torch.get_num_threads() == 1
    return Clock(
        "CPU time" if alone else "wall time",
        time.process_time if alone else time.perf_counter,
        lambda start, end: float(end - start),
        lambda: None,
    )


def limits_of(device: torch.device, dtype: torch.dtype) -> Limits:
    """A copy and a square product of matrices, the best of a few."""
    clock = clock_of(device)
    x = torch.ones(COPIED[device.type] // 4, device=device)
    room = torch.empty_like(x)
    side = SIDE[device.type]
    matrix = torch.ones(side, side, device=device, dtype=dtype)
    with torch.no_grad():
        copy = _best(clock, lambda: room.copy_(x))
        product = _best(clock, lambda: matrix @ matrix)
    return Limits(2 * x.nbytes / copy, 2 * side**3 / product)


def peak_bytes(action: Callable[[], object], device: torch.device) -> int | None:
    """The most memory that a call takes at a time, beyond what there was before.

    None where the system does not tell. On the CPU it is resident memory, in whole pages.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        action()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    try:
        # What malloc keeps of earlier calls would hide what this one takes.
        ctypes.CDLL(None).malloc_trim(0)
        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError):
        return None
    action()
    return max(0, _resident("VmHWM") - before)


def _event(device: torch.device) -> Any:
    event = torch.cuda.Event(enable_timing=True)
    event.record(torch.cuda.current_stream(device))
    return event


def _best(clock: Clock, action: Callable[[], Tensor]) -> float:
    action()
    found = []
    for _ in range(TRIES):
        clock.wait()
        start = clock.mark()
        action()
        end = clock.mark()
        clock.wait()
        found.append(clock.seconds(start, end))
    return max(min(found), 1e-9)


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

"""Time, page faults and memory of a pass, on the CPU or a device."""

import ctypes
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

__all__ = ["Sample", "middle", "peak_bytes", "timed"]

Action = Callable[[int], object]

# A round of an action lasts at least this long, or it would be caches that are measured: those
# which the other actions, and other processes, have emptied before.
SECONDS = 0.04


@dataclass(frozen=True)
class Sample:
    """Seconds and page faults of one call, on average over a round."""

    seconds: float
    faults: float


def timed(
    actions: Mapping[str, Action], rounds: int, device: torch.device, threads: int
) -> dict[str, list[Sample]]:
    """Samples of each action, which are run in turn so that a busy machine hurts all alike.

    Arguments:
        actions: What is called, with another number at every call, by which it may choose one of
            several buffers.
        rounds: The number of samples; a first round that warms up is left out.
        device: Where the actions run.
        threads: With one on the CPU, the clock is the process's own time.
    """
    clock = _device_clock(device) if device.type == "cuda" else _clock(threads)
    counts = {name: _count(action, clock) for name, action in actions.items()}
    found: dict[str, list[Sample]] = {name: [] for name in actions}
    calls = 0
    for _ in range(rounds):
        for name, action in actions.items():
            count, faults = counts[name], _page_faults()
            seconds = clock(action, calls, count)
            calls += count
            found[name].append(Sample(seconds / count, (_page_faults() - faults) / count))
    return found


def middle(samples: list[Sample]) -> float:
    """The median of the seconds."""
    return statistics.median(sample.seconds for sample in samples)


def peak_bytes(action: Action, device: torch.device) -> int:
    """The most memory that a call takes at a time, beyond what there was before."""
    action(0)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        action(1)
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if not Path("/proc/self/clear_refs").exists():
        return 0
    # What malloc keeps of earlier calls would hide what this one takes.
    ctypes.CDLL(None).malloc_trim(0)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    action(1)
    return _resident("VmHWM") - before


def _count(action: Action, clock: Callable[[Action, int, int], float]) -> int:
    """How many calls make a round; warms up."""
    for call in range(3):
        clock(action, call, 1)
    return max(1, round(SECONDS / max(clock(action, 3, 1), 1e-7)))


def _clock(threads: int) -> Callable[[Action, int, int], float]:
    now = time.process_time if threads == 1 else time.perf_counter

    def run(action: Action, first: int, count: int) -> float:
        start = now()
        for call in range(first, first + count):
            action(call)
        return now() - start

    return run


def _device_clock(device: torch.device) -> Callable[[Action, int, int], float]:
    def run(action: Action, first: int, count: int) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        start.record()
        for call in range(first, first + count):
            action(call)
        end.record()
        torch.cuda.synchronize(device)
        return start.elapsed_time(end) / 1e3

    return run


def _page_faults() -> int:
    """Pages that this process has met for the first time."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(name)]
    return int(line.split()[1]) * 1024

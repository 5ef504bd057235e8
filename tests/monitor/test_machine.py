"""The clock, the limits and the peak are of the right size."""

import sys
import time

import pytest
import torch

from spikeframe.monitor.machine import clock_of, limits_of, peak_bytes

CPU = torch.device("cpu")


@pytest.fixture
def threads():
    entering = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(entering)


def test_clock_of_one_thread_does_not_see_others(threads):
    threads(1)
    clock = clock_of(CPU)
    start = clock.mark()
    time.sleep(0.05)
    assert clock.name == "CPU time"
    assert clock.seconds(start, clock.mark()) < 0.01


def test_clock_of_several_threads_sees_all(threads):
    threads(2)
    clock = clock_of(CPU)
    start = clock.mark()
    time.sleep(0.05)
    assert clock.name == "wall time"
    assert clock.seconds(start, clock.mark()) >= 0.05


def test_limits_are_those_of_a_processor():
    limits = limits_of(CPU, torch.float32)
    assert 1e8 < limits.copy < 1e13
    assert 1e8 < limits.product < 1e15


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_peak_is_what_a_call_takes_at_a_time():
    def action():
        for _ in range(3):
            torch.ones(2**24)
        torch.ones(2**23)

    # Of blocks so large malloc keeps none that was given back.
    action()
    peak = peak_bytes(action, CPU)
    assert 0.9 * 2**26 < peak < 1.5 * 2**26

"""``import spikeframe`` loads torch, numpy and nothing heavier, and is quick."""

import os
import subprocess
import sys

import pytest

SECONDS = 0.3
TRIES = 5
PROBE = """
import sys, time
import numpy, torch
before, start = set(sys.modules), time.process_time()
import spikeframe
from spikeframe import {names}
spent = time.process_time() - start
print(spent, *sorted(set(sys.modules) - before))
"""


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    """Imports everything that users import by name, in a new interpreter, compiled before."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("bytecode"))

    def run():
        names = "encoding, functional, layer, neuron, surrogate"
        code = PROBE.format(names=names)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        spent, *modules = done.stdout.split()
        return float(spent), modules

    return run


def test_import_loads_nothing_heavy(probe):
    _, modules = probe()
    assert "spikeframe.neuron" in modules
    light = sys.stdlib_module_names | {"numpy", "spikeframe", "torch"}
    assert [name for name in modules if name.partition(".")[0] not in light] == []
    # torch's compiler costs seconds and brings sympy and more with it.
    compiler = ("torch._dynamo", "torch._inductor", "torch.fx.experimental")
    assert [name for name in modules if name.startswith(compiler)] == []


def test_import_is_quick(probe):
    # Processor time, and the best of a few runs: a busy machine cannot make it longer by chance.
    best = float("inf")
    for _ in range(TRIES):
        best = min(best, probe()[0])
        if best <= SECONDS:
            break
    assert best <= SECONDS

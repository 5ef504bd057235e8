"""What is particular to C++ kernels: how they write, threads, forks, builds that fail."""

import itertools
import os
import subprocess
import sys

import pytest
import torch
from agreement import compare, lif
from cases import DTYPES, sequence
from spikeframe.kernels import build, cpp

from spikeframe import kernels, neuron, surrogate

pytestmark = pytest.mark.skipif(
    kernels.why_not(neuron.IFNode(), "cpp") is not None, reason="no C++ compiler"
)


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("most_cached", [0, 2**40])
def test_both_ways_to_write_at_odd_sizes(dtype, most_cached, monkeypatch):
    monkeypatch.setattr(cpp, "MOST_CACHED", most_cached)
    for T, size in itertools.product((1, 2, 33), (1, 63, 1000, 1025, 4097)):
        compare("cpp", lif(), sequence((size,), T=T, dtype=dtype))
        compare("cpp", lif(surrogate_function=surrogate.Rect()), sequence((size,), T=T))


def test_threads_give_what_one_gives(monkeypatch):
    x_seq = sequence((3, 1000), T=5)
    monkeypatch.setattr(cpp, "SMALLEST_SHARE", 1)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        compare("cpp", lif(), x_seq)
    finally:
        torch.set_num_threads(before)


def test_a_kernel_uses_the_openmp_of_torch():
    compare("cpp", lif(), sequence((3,)))
    with open("/proc/self/maps") as file:
        found = {line.split()[-1] for line in file if "libgomp" in line}
    found = {path for path in found if "scikit_learn" not in path}  # brings its own, beside
    assert len(found) == 1


FORKED = """
import torch
from spikeframe import neuron
torch.set_num_threads(2)
# Long in time: torch itself, which would hang too, stays at one thread for a step.
x_seq = torch.rand(256, 1024)
node = neuron.LIFNode(step_mode="m", backend="cpp")
node(x_seq)
loader = torch.utils.data.DataLoader(
    [0, 1], num_workers=1, multiprocessing_context="fork",
    collate_fn=lambda i: neuron.LIFNode(step_mode="m", backend="cpp")(x_seq).sum(),
)
assert all(total == loader.collate_fn(0) for total in loader)
"""


def test_forked_workers_do_not_hang():
    """A parent that has used threads forks workers: they must not wait for them."""
    compare("cpp", lif(), sequence((3,)))
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=60, env=environment)


def test_a_failed_build_is_a_reason_and_auto_goes_on(monkeypatch):
    """Of one program, with a compiler that works otherwise; asked once, not at every call."""
    asked = []

    def fail(source):
        if source == cpp.PROBE:
            return None
        asked.append(source)
        raise build.BuildError("g++ failed with code 1: no luck")

    class Own(surrogate.Surrogate):
        """Of no other test, for which the failure would be remembered."""

        def derivative(self, u):
            return torch.exp(-u.abs() * 0.7)

    monkeypatch.setattr(cpp, "load", fail)
    node = neuron.LIFNode(tau=2.7, step_mode="m", backend="auto", surrogate_function=Own())
    x_seq = sequence((5,)).requires_grad_()
    node(x_seq).sum().backward()
    node(x_seq)
    assert len(asked) == 1
    call = kernels.Call(node, [x_seq])
    assert kernels.choose(node, "auto", "cpu", call).name == "torch"
    assert "no luck" in kernels.why_not(node, "cpp", "cpu", call)
    node.backend = "cpp"
    with pytest.raises(RuntimeError, match="'cpp' cannot run LIFNode on cpu: .*no luck. Use"):
        node(x_seq)


def test_a_machine_without_a_compiler_says_so(monkeypatch):
    compare("cpp", lif(), sequence((3,)))
    monkeypatch.setenv("CXX", "no-such-compiler")
    cpp.why_not_here.cache_clear()
    try:
        node = neuron.LIFNode(step_mode="m")
        assert "no C++ compiler" in kernels.why_not(node, "cpp")
        assert "auto: runs 'torch'" in kernels.explain(node)
        node(sequence((3,)))
    finally:
        cpp.why_not_here.cache_clear()

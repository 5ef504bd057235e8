"""What is particular to C++ kernels: how they write, threads, forks, builds that fail."""

import copy
import functools
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
    monkeypatch.setattr(cpp, "MOST_CACHED_IN_TRAINING", most_cached)
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


class Gained(neuron.LIFNode):
    """A neuron of two inputs."""

    def neuronal_charge(self, x, gain):
        super().neuronal_charge(x * gain)


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [(1,), (3, 7), (3, 1000)])
def test_one_value_a_step_is_not_copied_for_each_neuron(size, threads, monkeypatch):
    monkeypatch.setattr(cpp, "SMALLEST_SHARE", 1)
    x_seq, gains = sequence(size, T=5), torch.rand(5, *[1] * len(size)) + 0.5
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        for others in (gains, gains.double(), gains[:1]):
            expanded = others.to(x_seq.dtype).expand(x_seq.shape)
            compare("cpp", functools.partial(_gained, 3.0), x_seq, others=[expanded])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gains_learn_as_by_the_lines(dtype):
    made = neuron.GatedLIFNode(4, surrogate_function=surrogate.ATan())
    made.to(torch.promote_types(dtype, torch.float32))

    def gated(backend):
        node = copy.deepcopy(made)
        node.backend = backend
        return node

    for size in ((2, 3), (65,), (3, 700)):
        compare("cpp", gated, sequence(size, T=4, dtype=dtype))


def _gained(tau, backend):
    return Gained(tau, step_mode="m", backend=backend)


class Divided(neuron.BaseNode):
    """Its potential is a quotient."""

    divisor = second = third = 1.0

    def neuronal_charge(self, x):
        self.v = x / self.divisor


class DividedTwice(Divided):
    """By two divisors."""

    def neuronal_charge(self, x):
        self.v = self.v / self.divisor + x / self.second


class DividedThrice(Divided):
    """By three."""

    def neuronal_charge(self, x):
        self.v = (self.v / self.divisor + x / self.second) / self.third


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("exponent", [-149, -127, -126, -1, 0, 1, 5, 126, 127, None])
def test_a_quotient_is_rounded_once_whatever_the_divisor(exponent, dtype):
    """By a power of two it is a product, but not where the inverse is no normal number."""
    bits = torch.randint(-(2**31), 2**31, (2, 1000), generator=torch.Generator().manual_seed(0))
    ends = torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0, -0.0, 1e-45, 3.4e38, -1e-38])
    x_seq = torch.cat((ends.expand(2, 8), bits.to(torch.int32).view(torch.float32)), 1).to(dtype)
    for sign in (1.0, -1.0):
        found = []
        for backend in ("cpp", "eager"):
            node = Divided(torch.inf, None, step_mode="m", backend=backend)
            node.divisor = sign * (3.0 if exponent is None else 2.0**exponent)
            node(x_seq)
            found.append(node.v)
        assert torch.equal(found[0].isnan(), found[1].isnan())
        assert torch.equal(found[0].nan_to_num(7.0), found[1].nan_to_num(7.0))
        assert torch.equal(found[0].signbit(), found[1].signbit())


@pytest.mark.parametrize("cls", [DividedTwice, DividedThrice])
@pytest.mark.parametrize("powers", list(itertools.product([False, True], repeat=3)), ids=str)
def test_each_divisor_is_judged_by_itself(cls, powers):
    x_seq, found = sequence((3, 100), T=6), []
    for backend in ("cpp", "eager"):
        node = cls(torch.inf, None, step_mode="m", backend=backend)
        for name, power in zip(("divisor", "second", "third"), powers, strict=True):
            setattr(node, name, 0.25 if power else 0.3)
        node(x_seq)
        found.append(node.v)
    assert torch.equal(*found)


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

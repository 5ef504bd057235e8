"""What every C++ kernel is printed with: functions, conversions, stores."""

import ctypes
import functools

import pytest
import torch
from spikeframe.kernels import build
from spikeframe.kernels.cpp_preamble import preamble
from spikeframe.kernels.cpp_source import source
from spikeframe.kernels.program import Code, Line, Program

from spikeframe import kernels, neuron

pytestmark = pytest.mark.skipif(
    kernels.why_not(neuron.IFNode(), "cpp") is not None, reason="no C++ compiler"
)

EXPORTS = """
extern "C" void exponential(const R* x, R* y, int64_t n) {
  for (int64_t l = 0; l < n; ++l) y[l] = exp_(x[l]);
}
extern "C" void sigmoid(const R* x, R* y, int64_t n) {
  for (int64_t l = 0; l < n; ++l) y[l] = sigmoid_(x[l]);
}
extern "C" void tangent(const R* x, R* y, int64_t n) {
  for (int64_t l = 0; l < n; ++l) y[l] = tanh_(x[l]);
}
extern "C" void read(const S* x, R* y, int64_t n) {
  const R* const row = get(x, y, (int)n);
  if (row != y) std::memcpy(y, row, n * sizeof(R));
}
extern "C" void write(const R* x, S* y, int64_t n) { put(y, x, (int)n, true); finish(); }
"""


CAN_FUSE = "defined(__FMA__) || defined(__FP_FAST_FMAF)"


@functools.cache
def _library(storage, fuses=True):
    text = preamble(storage)
    assert CAN_FUSE in text
    return build.load((text if fuses else text.replace(CAN_FUSE, "0")) + EXPORTS)


def _call(name, x, dtype, storage="float32", fuses=True):
    """y of x by rows, each of an odd length and address."""
    y = torch.full((len(x) + 2,), 7, dtype=dtype)
    for at in range(0, len(x), 1023):
        n = min(1023, len(x) - at)
        addresses = x[at:].data_ptr(), y[at + 1 :].data_ptr()
        getattr(_library(storage, fuses), name)(
            *map(ctypes.c_void_p, addresses), ctypes.c_int64(n)
        )
    assert y[0] == y[-1] == 7
    return y[1:-1]


def _all_floats(step):
    """Every step-th float, of both signs, nan and inf among them."""
    bits = torch.arange(-(2**31), 2**31, step, dtype=torch.int64).to(torch.int32)
    edges = torch.tensor([88.72283, 88.7229, -87.33654, -103.97, -103.98, -104.0, -0.0, 1e-45])
    special = torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0, 89.0, -87.4, -100.0])
    return torch.cat((bits.view(torch.float32), edges, special))


def _ulps(value, exact):
    """The error in units of the last place, subnormal ones at the least."""
    rounded = exact.to(torch.float32)
    unit = (torch.nextafter(rounded.abs(), torch.tensor(torch.inf)) - rounded.abs()).double()
    return (value.double() - exact).abs() / unit


@pytest.mark.parametrize("fuses", [True, False])
def test_exp_is_within_two_units_everywhere(fuses):
    x = torch.cat((_all_floats(4999), torch.linspace(-104.5, 89.5, 1_000_003)))
    y, exact = _call("exponential", x, torch.float32, fuses=fuses), x.double().exp()
    rounded = exact.to(torch.float32)
    assert torch.equal(y.isnan(), x.isnan())
    assert torch.equal(y[x > 88.7229], torch.full_like(y[x > 88.7229], torch.inf))
    finite = rounded.isfinite() & (rounded < torch.finfo(torch.float32).max)
    assert _ulps(y[finite], exact[finite]).max() <= 2
    assert (y[x == 0] == 1).all()


@pytest.mark.parametrize("fuses", [True, False])
def test_tanh_is_within_two_units_everywhere(fuses):
    x = torch.cat((_all_floats(4999), torch.linspace(-10, 10, 1_000_003)))
    y, exact = _call("tangent", x, torch.float32, fuses=fuses), x.double().tanh()
    assert torch.equal(y.isnan(), x.isnan())
    given = ~x.isnan()
    assert _ulps(y[given], exact[given]).max() <= 2
    assert torch.equal(y[given].signbit(), x[given].signbit())
    assert (y[given].abs() <= 1).all()


@pytest.mark.parametrize("fuses", [True, False])
def test_sigmoid_is_close_and_ends_at_0_and_1(fuses):
    x = torch.cat((_all_floats(4999), torch.linspace(-104.5, 89.5, 100_003)))
    y, exact = _call("sigmoid", x, torch.float32, fuses=fuses), x.double().sigmoid()
    assert torch.equal(y.isnan(), x.isnan())
    normal = (exact > 1e-37) & ~x.isnan()
    assert _ulps(y[normal], exact[normal]).max() <= 3
    assert (y[~normal & ~x.isnan()] < 1e-36).all()
    assert y[x == torch.inf] == 1
    assert y[x == -torch.inf] == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_sixteen_bits_convert_as_torch_does(dtype):
    """All 65536 values to float, and floats of every exponent and rounding back."""
    storage = str(dtype).removeprefix("torch.")
    small = torch.arange(2**16).to(torch.int16).view(dtype)
    wide = _call("read", small, torch.float32, storage)
    assert torch.equal(wide.nan_to_num(7), small.float().nan_to_num(7))
    assert torch.equal(wide.isnan(), small.isnan())
    exact = small.float()
    between = (exact + torch.nextafter(exact, torch.tensor(torch.inf))) / 2
    ties = torch.cat(
        (_all_floats(9973), exact, between, exact * (1 + 2**-9), exact * (1 + 2**-11))
    )
    found, expected = _call("write", ties, dtype, storage), ties.to(dtype)
    assert torch.equal(found.isnan(), expected.isnan())
    assert torch.equal(found.nan_to_num(7), expected.nan_to_num(7))


@pytest.mark.parametrize("bytes_", [1, 63, 64, 65, 127, 1023])
@pytest.mark.parametrize("shift", [0, 1, 15, 16])
def test_a_row_goes_past_the_caches_whole(bytes_, shift):
    n = bytes_
    x = torch.rand(n)
    y = torch.full((n + shift + 64,), 7.0)
    pointers = x.data_ptr(), y[shift:].data_ptr()
    _library("float32").write(*map(ctypes.c_void_p, pointers), ctypes.c_int64(n))
    assert torch.equal(y[shift : shift + n], x)
    assert (y[:shift] == 7).all()
    assert (y[shift + n :] == 7).all()


def test_equal_programs_print_equal_sources_and_numbers_are_no_part_of_them():
    def printed(**options):
        node = neuron.LIFNode(step_mode="m", **options)
        from spikeframe.kernels.cache import traced

        known = traced(node)
        kinds = (False,) * len(known.trace.parameters)
        return source(known.program((), None), kinds, "float32")

    assert printed(tau=2.0, v_reset=0.0) == printed(tau=3.3, v_reset=-0.5)
    assert printed(v_reset=None) != printed(v_reset=0.0)


def test_numbers_are_printed_exactly():
    numbers = (0.1, 1e-45, 1e300, float("inf"), -float("inf"), float("nan"))
    lines = tuple(Line(f"t{i}", "add", ("x0", number)) for i, number in enumerate(numbers))
    program = Program(1, 0, 0, Code(lines, ("t0",)), 1)
    text = source(program, (), "float64")
    for printed in ("0.1", "1e-45", "1e+300", "INFINITY", "-INFINITY", "NAN"):
        assert f"x0 + R({printed});" in text
    build.load(text)

"""Every engine gives what the node's own lines give: spikes bit by bit, gradients closely.

Programs coincide wherever a test may choose (numbers are arguments, not code), since each one
that is new costs a run of the compiler.
"""

import functools
import itertools

import pytest
import torch
from agreement import compare, lif, weights
from cases import DTYPES, INPUTS, LAYOUTS, NEURONS, THRESHOLDS, sequence
from engines import ENGINES
from foreign_neurons import FOREIGN
from naming import shown
from reference import relative_error
from torch import nn

from spikeframe import neuron, surrogate

pytestmark = pytest.mark.usefixtures("guarded")

# v_reset, detach_reset: one number for v_reset, for the number is no part of the program.
PROGRAMS = ((0.0, False), (-0.3, True), (None, False), (None, True))


@pytest.mark.parametrize("case", NEURONS, ids=shown)
@pytest.mark.parametrize(("v_reset", "detach_reset"), PROGRAMS)
def test_every_neuron_and_reset(engine, case, v_reset, detach_reset):
    def make(backend):
        return case(v_reset=v_reset, detach_reset=detach_reset, step_mode="m", backend=backend)

    compare(engine, make, sequence((3, 67), T=9))


@pytest.mark.parametrize("dtype", DTYPES, ids=shown)
def test_every_dtype_at_odd_sizes(engine, dtype):
    case = next(case for case in ENGINES if case.name == engine)
    for T, size in itertools.product(case.steps, case.sizes):
        compare(engine, lif(), sequence((size,), T=T, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=shown)
@pytest.mark.parametrize("size", [0, 1025])
def test_without_a_gradient(engine, dtype, size):
    x_seq = sequence((size,), T=5, dtype=dtype)
    with torch.no_grad():
        expected, found = lif()("eager"), lif()(engine)
        assert torch.equal(found(x_seq), expected(x_seq))
    assert torch.equal(found.v, expected.v)


@pytest.mark.parametrize("T", [1, 33])
def test_an_empty_batch(engine, T):
    compare(engine, lif(), sequence((0, 3), T=T))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_and_upstream_gradients_in_any_layout(engine, layout):
    x_seq = sequence((5, 3, 7, 11), T=6)
    view = LAYOUTS[layout](x_seq)
    compare(engine, lif(), view)

    def loss(node, spikes):
        return spikes.contiguous().sub(LAYOUTS[layout](weights(spikes))).square().sum()

    compare(engine, lif(), x_seq, loss)
    compare(engine, lif(), view, lambda node, spikes: (spikes * LAYOUTS[layout](x_seq)).sum())


def test_outputs_that_nobody_uses(engine):
    x_seq = sequence((7, 9))
    compare(engine, lif(), x_seq, lambda node, spikes: spikes.sum())
    compare(engine, lif(), x_seq, lambda node, spikes: node.v.sum())
    compare(engine, lif(), x_seq, lambda node, spikes: spikes[-1].sum())


@pytest.mark.parametrize("dtype", DTYPES, ids=shown)
def test_the_first_state_and_its_gradient(engine, dtype):
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    v = sequence((6, 11), T=1, seed=1, dtype=precision)[0]
    compare(engine, lif(), sequence((6, 11), dtype=dtype), v=v)
    compare(engine, lif(), sequence((6, 11), dtype=dtype), v=v.T.contiguous().T)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=shown)
@pytest.mark.parametrize("order", ["contiguous", "channels last"])
def test_several_parameters_with_gradients(engine, dtype, order):
    """Per channel, per neuron, and scalar, in one program for all shapes."""
    x_seq = sequence((5, 3, 7, 67), T=6, dtype=dtype)
    if order == "channels last":
        x_seq = LAYOUTS[order](x_seq)
    shapes = ((3, 1, 1), (3, 7, 67), (1, 7, 1), (5, 3, 7, 67), (67,))
    for tau, threshold in zip(shapes, shapes[1:] + shapes[:1], strict=True):
        torch.manual_seed(0)
        values = (2 + torch.rand(tau), 1 + 0.1 * torch.rand(threshold), torch.tensor(-0.1))

        def make(backend, values=values):
            tau, v_threshold, v_reset = (nn.Parameter(v.clone()) for v in values)
            return lif(tau=tau, v_threshold=v_threshold, v_reset=v_reset)(backend)

        compare(engine, make, x_seq)


def test_a_parameter_of_a_block_spans_the_blocks(engine):
    """Channels of a length that no block is a multiple of, with more than one block."""
    tau = 2 + torch.rand(5, 1, generator=torch.Generator().manual_seed(0))
    compare(engine, lif(tau=tau), sequence((2, 5, 333), T=3))
    compare(engine, lif(tau=tau), sequence((2, 5, 333), T=40))


@pytest.mark.parametrize("to", [(3, 7, 67), (5, 3, 7, 67), (3, 1, 67)], ids=str)
def test_a_parameter_that_is_expanded_already(engine, to):
    tau = (2 + torch.rand(3, 1, 1, generator=torch.Generator().manual_seed(0))).expand(to)
    compare(engine, lif(tau=tau), sequence((5, 3, 7, 67), T=6))


@pytest.mark.parametrize("v_threshold", THRESHOLDS)
@pytest.mark.parametrize("v_reset", [0.0, None])
def test_every_threshold(engine, v_threshold, v_reset):
    compare(engine, lif(v_threshold=v_threshold, v_reset=v_reset), sequence((65,)))


@pytest.mark.parametrize("dtype", DTYPES, ids=shown)
@pytest.mark.parametrize("given", INPUTS)
def test_inputs_at_the_edge(engine, given, dtype):
    x_seq = INPUTS[given](sequence((129,), dtype=dtype))
    with torch.no_grad():
        expected, found = lif()("eager"), lif()(engine)
        assert torch.equal(found(x_seq), expected(x_seq))
    assert torch.equal(found.v.nan_to_num(7.0), expected.v.nan_to_num(7.0))
    compare(engine, lif(), x_seq, lambda node, spikes: spikes.sum())


@pytest.mark.parametrize("v_threshold", [0.3, 0.7, 1.1])
def test_decimals_that_land_on_the_threshold(engine, v_threshold):
    """0.1 steps to a threshold of 0.3: each operation rounds as the lines' does."""
    x_seq = INPUTS["decimals"](sequence((1025,), T=40))
    compare(engine, lif(tau=3.3, v_threshold=v_threshold, v_reset=None), x_seq)


def test_a_stored_sequence_and_its_gradient(engine):
    def loss(node, spikes):
        return spikes.sum() + (node.v_seq * weights(node.v_seq)).sum()

    x_seq = sequence((6, 11))
    compare(engine, lif(store_v_seq=True), x_seq, loss)
    nodes = [lif(store_v_seq=True)(name) for name in ("eager", engine)]
    for node in nodes:
        node(x_seq)
    assert torch.equal(nodes[0].v_seq, nodes[1].v_seq)
    compare(engine, lif(store_v_seq=True), x_seq, lambda node, spikes: node.v_seq[1:3].sum())


def test_two_calls_carry_the_state(engine):
    x_seq = sequence((4, 33), T=10)

    def in_two(node, spikes):
        return spikes.sum() + (node(x_seq[:3]) * weights(x_seq[:3])).sum() + node.v.sum()

    compare(engine, lif(), x_seq, in_two)


@pytest.mark.parametrize(("v_reset", "detach_reset"), PROGRAMS)
def test_a_window_kept_as_bits(engine, v_reset, detach_reset):
    """More steps than a byte has bits, and not a multiple of them."""
    options = {"v_reset": v_reset, "detach_reset": detach_reset}
    for T, size in ((7, 67), (8, 1), (21, 1025)):
        make = lif(surrogate_function=surrogate.Rect(), **options)
        compare(engine, make, sequence((size,), T=T))


@pytest.mark.parametrize("make_surrogate", [surrogate.ATan, surrogate.Rect])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=shown)
def test_saved_values_that_a_hook_lays_otherwise(engine, make_surrogate, dtype):
    """As save_on_cpu(pin_memory=True) does: contiguous, whatever they were."""
    x_seq = LAYOUTS["channels last"](sequence((5, 3, 7, 11), T=9, dtype=dtype))
    make = lif(surrogate_function=make_surrogate(), detach_reset=True)
    with torch.autograd.graph.saved_tensors_hooks(torch.Tensor.contiguous, lambda kept: kept):
        compare(engine, make, x_seq)


def test_what_is_saved_in_16_bits_stays_finite(engine):
    """A readout that never fires adds up to more than 16 bits can hold."""
    x_seq = sequence((65,), T=9, dtype=torch.float16) * 2e4

    def make(backend):
        return neuron.IFNode(
            v_threshold=1e9,
            surrogate_function=surrogate.ATan(),
            step_mode="m",
            backend=backend,
        )

    compare(engine, make, x_seq)


TAME = [row for row in FOREIGN if row[0] != "conductance"]  # which makes much of a small error


@pytest.mark.parametrize(("name", "make", "n"), TAME, ids=shown)
def test_neurons_that_users_write(engine, name, make, n):
    x_seq, *others = (sequence((2, 4, 33), T=9, seed=i) for i in range(n))
    make = functools.partial(make, step_mode="m")
    exact = name != "two-inputs"  # which has a sigmoid
    compare(engine, lambda b: make(backend=b), x_seq, others=others, exact=exact)


class Lopsided(surrogate.Surrogate):
    """A derivative by the sign of the distance, which is 0 at nan as torch's is."""

    def derivative(self, u):
        return 1.0 - 0.5 * torch.sign(u)


def test_the_sign_of_what_is_no_number(engine):
    x_seq = INPUTS["inf, nan, subnormal"](sequence((129,)))
    make = lif(surrogate_function=Lopsided(), detach_reset=True)
    compare(engine, make, x_seq, lambda node, spikes: spikes.sum())


class Exponential(neuron.BaseNode):
    """A neuron with exp in its charge."""

    def neuronal_charge(self, x):
        self.v = self.v + 0.3 * (torch.exp(self.v - 1.0) - self.v + x)


class Smooth(neuron.BaseNode):
    """A neuron with the other functions that are no single rounding."""

    def neuronal_charge(self, x):
        bent = torch.tanh(x) + 0.1 * torch.sigmoid(self.v) + 0.1 * torch.sin(x)
        self.v = 0.7 * self.v + bent - 0.1 * torch.cos(x) + 0.1 * torch.log(self.v**2 + 1.0)


@pytest.mark.parametrize("make", [Exponential, Smooth])
def test_smooth_functions_are_close(engine, make):
    x_seq = sequence((1025,), T=7, dtype=torch.float64)
    found = {}
    for backend, dtype in (("eager", torch.float64), (engine, torch.float32)):
        node = make(step_mode="m", backend=backend)
        with torch.no_grad():
            found[backend] = node(x_seq.to(dtype)).double(), node.v.double()
    same = (found["eager"][0] == found[engine][0]).all(0)
    assert same.float().mean() > 0.99
    assert relative_error(found[engine][1][same], found["eager"][1][same]) < 1e-5

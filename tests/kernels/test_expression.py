"""The graph: one object per meaning, exact identities only, reverse-mode derivatives."""

import threading

import pytest
from spikeframe.kernels.expression import constant, gradients, leaf, order


def test_equal_operations_are_one_object_within_a_pool():
    pool = {}
    x, y = leaf("x", pool), leaf("y", pool)
    assert x.apply("add", y) is x.apply("add", y)
    assert x.apply("add", y) is not y.apply("add", x)
    assert leaf("x", pool) is x
    assert leaf("x", {}) is not x


def test_constants_are_told_apart_by_their_bits():
    pool = {}
    assert constant(0.0, pool) is not constant(-0.0, pool)
    assert constant(1, pool) is constant(1.0, pool)
    assert constant(float("nan"), pool) is constant(float("nan"), pool)


@pytest.mark.parametrize(
    ("op", "number"), [("mul", 1.0), ("div", 1.0), ("sub", 0.0), ("mul", 1), ("sub", 0)]
)
def test_exact_identities_are_left_out(op, number):
    x = leaf("x", {})
    assert x.apply(op, number) is x
    if op == "mul":
        assert constant(1.0, x.pool).apply("mul", x) is x


@pytest.mark.parametrize(
    ("op", "number"), [("add", 0.0), ("sub", -0.0), ("mul", 0.0), ("div", 2.0), ("mul", -1.0)]
)
def test_nothing_else_is_simplified(op, number):
    """x + 0 turns -0 into 0, and x * 0 is nan for an infinite x."""
    x = leaf("x", {})
    assert x.apply(op, number).op == op


def test_order_has_operands_first_and_stops_at_what_is_known():
    pool = {}
    x = leaf("x", pool)
    a = x.apply("exp")
    b = a.apply("mul", a)
    assert order([b]) == [x, a, b]
    assert order([b], [a]) == [b]
    assert order([b], [b]) == []


def test_a_spike_needs_its_value_and_passes_its_gradient_to_the_distance():
    pool = {}
    u, slope, g = leaf("u", pool), leaf("slope", pool), leaf("g", pool)
    spike = u.apply("spike", slope, u.apply("ge", 0.0).apply("float"))
    assert slope not in order([spike])
    assert gradients([(spike, g)], [u, slope]) == [g.apply("mul", slope), None]


def test_gradients_of_several_outputs_and_uses_add_up():
    pool = {}
    x, y, g, h = (leaf(name, pool) for name in "xygh")
    found = gradients([(x.apply("mul", y), g), (x, h)], [x, y])
    assert found == [h.apply("add", g.apply("mul", y)), g.apply("mul", x)]
    assert gradients([(x.apply("detach"), g)], [x, y]) == [None, None]


def test_threads_that_build_the_same_values_get_the_same_objects():
    pool, made = {}, []
    x = leaf("x", pool)
    barrier = threading.Barrier(4)

    def build():
        barrier.wait()
        value = x
        for i in range(2000):
            value = value.apply("add", float(i) + 0.5)
        made.append(value)

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1

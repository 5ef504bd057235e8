"""The cheapest values to keep, against trying all sets."""

import itertools
import random

import pytest
from spikeframe.kernels.cut import cheapest_cut
from spikeframe.kernels.expression import leaf, order


def grown(seed, size=9):
    """A random graph on three leaves, and what is wanted of it."""
    choose = random.Random(seed)
    pool = {}
    values = [leaf(name, pool) for name in "abc"]
    for _ in range(size):
        a, b = choose.choice(values), choose.choice(values)
        values.append(a.apply(choose.choice(("add", "mul", "sub")), b))
    return values, choose.sample(values[3:], 3)


def enough(wanted, kept):
    return all(v.op != "leaf" for v in order(wanted, kept))


@pytest.mark.parametrize("seed", range(40))
def test_no_set_of_values_is_cheaper(seed):
    values, wanted = grown(seed)
    price = {v: 1.0 + random.Random(f"{seed}{v!r}").random() for v in values}
    kept = cheapest_cut(wanted, (), price.__getitem__)
    assert enough(wanted, kept)
    cheapest = min(
        sum(price[v] for v in chosen)
        for size in range(4)
        for chosen in itertools.combinations(price, size)
        if enough(wanted, chosen)
    )
    assert sum(price[v] for v in kept) == pytest.approx(cheapest)


def test_what_is_free_is_not_kept():
    values, wanted = grown(3)
    assert cheapest_cut(wanted, values[:3], lambda v: 1.0) == []


def test_of_equal_cuts_the_one_nearest_to_what_is_wanted_is_taken():
    pool = {}
    x = leaf("x", pool)
    first = x.apply("exp")
    second = first.apply("exp")
    assert cheapest_cut([second.apply("neg")], (), lambda v: 9.0 if v.op == "neg" else 1.0) == [
        second
    ]


def test_leaves_that_may_not_be_kept_are_an_error():
    x = leaf("x", {})
    with pytest.raises(ValueError, match="nothing that may be kept"):
        cheapest_cut([x.apply("neg")], (), lambda v: float("inf"))

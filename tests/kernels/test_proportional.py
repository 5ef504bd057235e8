"""Whether a gradient is proportional to what comes from above."""

import pytest
from spikeframe.kernels.expression import constant, leaf
from spikeframe.kernels.proportional import is_proportional


class Of:
    def __init__(self, expression):
        self.expression = expression


POOL: dict = {}
G, U = leaf("g", POOL), leaf("u", POOL)
POSITIVE = U.apply("gt", 0.0)


@pytest.mark.parametrize(
    "expression",
    [
        G,
        G.apply("mul", U),
        U.apply("mul", G),
        G.apply("div", U.apply("exp")),
        G.apply("neg").apply("add", G.apply("mul", 2.0)),
        POSITIVE.apply("where", G, constant(0.0, POOL)),
        constant(0.0, POOL),
    ],
    ids=repr,
)
def test_what_is_proportional(expression):
    assert is_proportional(Of(expression), G)


@pytest.mark.parametrize(
    "expression",
    [
        U,
        G.apply("add", 1.0),
        G.apply("mul", G),
        U.apply("div", G),
        G.apply("abs"),
        G.apply("gt", 0.0).apply("where", G, constant(0.0, POOL)),
        POSITIVE.apply("where", G, U),
    ],
    ids=repr,
)
def test_what_is_not(expression):
    assert not is_proportional(Of(expression), G)


def test_what_is_no_symbol_is_not():
    assert not is_proportional(1.0, G)
    assert not is_proportional(None, G)

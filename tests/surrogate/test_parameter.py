"""Which numbers a surrogate may be built with."""

from fractions import Fraction

import numpy
import pytest

from spikeframe.surrogate import ATan, MultiLevelSpikeCount


@pytest.mark.parametrize("alpha", [2, numpy.float32(2), numpy.int64(2), Fraction(2)])
def test_any_real_number_becomes_a_float(alpha):
    assert type(ATan(alpha).alpha) is float
    assert repr(ATan(alpha)) == "ATan(alpha=2.0, spiking=True)"


def test_any_integer_becomes_an_int():
    assert type(MultiLevelSpikeCount(numpy.int32(3)).max_spike_count) is int


@pytest.mark.parametrize("alpha", [None, [2.0], 2j, numpy.bool_(True), numpy.ones(1)])
def test_anything_else_is_refused(alpha):
    with pytest.raises(TypeError, match="alpha must be a number, got"):
        ATan(alpha)

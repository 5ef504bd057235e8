"""States that a caller passes: which fit, how they are named, what is refused."""

import pytest
import torch

import spikeframe.compat.snntorch as snn
from spikeframe.compat.snntorch.states import fitted, name_states, widened

LIF = snn.Synaptic(0.5, 0.5)


@pytest.mark.parametrize(
    ("x", "mem", "shape"),
    [
        ((), (1,), (1,)),
        ((3,), (2, 3), (2, 3)),
        ((2, 3), (), (2, 3)),
        ((2, 3), (3,), (2, 3)),
        ((2, 3), (2, 1), (2, 3)),
    ],
)
def test_states_that_fit(x, mem, shape):
    spk, out = snn.Leaky(0.5)(torch.full(x, 0.1), torch.ones(mem))
    assert spk.shape == out.shape == shape
    torch.testing.assert_close(out, torch.full(shape, 0.6))


@pytest.mark.parametrize(
    ("x", "mem"), [((2, 3), (5, 3)), ((2, 3), (4,)), ((1, 3), (2, 3)), ((3,), (2, 4)), ((), (0,))]
)
def test_states_that_do_not_fit(x, mem):
    with pytest.raises(ValueError, match="mem has shape .* which does not fit a step"):
        snn.Leaky(0.5)(torch.full(x, 0.1), torch.ones(mem))


def test_states_by_name_and_in_part():
    lif = snn.Synaptic(0.5, 0.5)
    x, one = torch.zeros(2), torch.ones(2)
    assert torch.equal(lif(x, mem=one)[2], lif(x, 0.0, one)[2])
    lif.reset_mem()
    _, syn, _ = lif(x, syn=one)
    assert syn.tolist() == [0.5, 0.5]
    with pytest.raises(TypeError, match="takes its input and syn, mem, got 3 states"):
        lif(x, one, one, one)
    with pytest.raises(TypeError, match="by name"):
        lif(x, one, syn=one)
    with pytest.raises(TypeError, match="mem must be a tensor, got str"):
        lif(x, mem="0")


def test_a_state_that_is_none_is_not_given():
    assert name_states(LIF, ("syn", "mem"), (None, 2.0), {}) == {"mem": 2.0}
    assert name_states(LIF, ("syn", "mem"), (1,), {"mem": None}) == {"syn": 1}
    assert name_states(LIF, ("syn", "mem"), (), {}) == {}


@pytest.mark.parametrize(
    ("states", "named", "text"),
    [
        ((0.0,) * 3, {}, "Synaptic takes its input and syn, mem, got 3 states by position"),
        ((0.0,), {"syn": None}, "got 1 states by position and syn by name"),
        ((), {"v": 0.0, "mem": 0.0}, "got 0 states by position and v, mem by name"),
        ((0.0, [0.0]), {}, "Synaptic: mem must be a tensor, got list"),
    ],
)
def test_states_that_are_not_these(states, named, text):
    with pytest.raises(TypeError, match=text):
        name_states(LIF, ("syn", "mem"), states, named)


@pytest.mark.parametrize(
    ("x", "states", "shape"),
    [
        ((3,), [(2, 3)], (2, 3)),
        ((), [(2, 1)], (2, 1)),
        ((1,), [(2, 3), (1, 1)], (2, 3)),
        ((2, 3), [(3,)], (2, 3)),
        ((3,), [(2, 4)], (3,)),
        ((3,), [(0, 3)], (3,)),
        ((1, 3), [(2, 3)], (1, 3)),
    ],
)
def test_a_step_spreads_to_a_state_of_more_dimensions(x, states, shape):
    given = {str(i): torch.ones(state) for i, state in enumerate(states)}
    x = torch.rand(x)
    found = widened(x, given | {"number": 1.0})
    assert found.shape == shape
    assert torch.equal(found, x.expand(shape))


def test_a_state_becomes_one_of_the_step():
    like = torch.zeros(2, 3, dtype=torch.float64)
    state = torch.rand(2, 3)
    assert fitted(LIF, "mem", state, like) is state
    assert fitted(LIF, "mem", state[:, :1], like).shape == (2, 3)
    number = fitted(LIF, "mem", 2, like)
    assert (number.tolist(), number.dtype) == ([[2.0] * 3] * 2, torch.float64)


@pytest.mark.parametrize("shape", [(3, 2), (1, 2, 3), (0,), (2,)])
def test_a_state_that_does_not_fit_is_named(shape):
    text = rf"mem has shape \[{', '.join(map(str, shape))}\], which .* \[2, 3\]: pass the state"
    with pytest.raises(ValueError, match=text):
        fitted(LIF, "mem", torch.zeros(shape), torch.zeros(2, 3))

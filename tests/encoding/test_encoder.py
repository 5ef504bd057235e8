import copy
import pickle
import re

import pytest
import torch

from spikeframe import base, functional
from spikeframe.encoding import (
    LatencyEncoder,
    StatefulEncoder,
    StatelessEncoder,
    WeightedPhaseEncoder,
    direct,
)

X = torch.tensor([[0.0, 0.25], [0.5, 0.75]])


class Shift(StatefulEncoder):
    """x + 0, x + 1, ...: every step is told from every other."""

    def single_step_encode(self, x):
        return torch.stack([x + t for t in range(self.T)])


class LegacyShift(StatefulEncoder):
    def single_step_encode(self, x):
        self.spike = torch.stack([x + t for t in range(self.T)])


ENCODERS = [
    lambda: Shift(4),
    lambda: LegacyShift(4),
    lambda: LatencyEncoder(4),
    lambda: LatencyEncoder(4, "log"),
    lambda: WeightedPhaseEncoder(4),
]
each = pytest.mark.parametrize("make", ENCODERS)


@pytest.mark.parametrize("make", ENCODERS[:2], ids=["returns", "assigns"])
def test_calls_play_the_steps_and_wrap(make):
    encoder = make()
    for t in range(10):
        assert torch.equal(encoder(X), X + t % 4)
    assert encoder.t == 2


@each
def test_equal_inputs_need_not_be_the_same_object(make):
    one, two = make(), make()
    for _ in range(4):
        assert torch.equal(one(X), two(X.clone()))


@each
def test_s_is_m(make):
    encoder = make()
    steps = torch.stack([encoder(X) for _ in range(4)])
    for x_seq in (direct(X, 4), X.repeat(4, 1, 1)):
        multi = make()
        multi.step_mode = "m"
        assert torch.equal(multi(x_seq), steps)
        assert multi.t == 0


@each
def test_m_carries_its_step_and_wraps(make):
    single, multi = make(), make()
    multi.step_mode = "m"
    steps = torch.stack([single(X) for _ in range(12)])
    chunks = [multi(direct(X, length)) for length in (3, 6, 1, 2)]
    assert torch.equal(torch.cat(chunks), steps)


@each
def test_calls_without_an_input_go_on(make):
    one, two, multi = make(), make(), make()
    multi.step_mode = "m"
    steps = torch.stack([one(X) for _ in range(6)])
    assert torch.equal(torch.stack([two(X), *(two() for _ in range(5))]), steps)
    multi(direct(X, 2))
    assert torch.equal(multi(), steps[2:])


@each
def test_a_different_input_raises(make):
    encoder, original = make(), X.clone()
    encoder(original)
    text = (
        rf"{type(encoder).__name__} is at step 1 of the encoding of another input .*\[2, 2\], "
        r"float32.*call functional.reset_net\(net\)"
    )
    for other in (X.t(), X + 2.0**-20, X[:1], X.double(), X.unsqueeze(0)):
        with pytest.raises(ValueError, match=text):
            encoder(other)
    original[0, 0] = 0.5
    with pytest.raises(ValueError, match=text):
        encoder(original)
    assert encoder.t == 1
    encoder(X)


@each
def test_a_different_input_raises_in_m(make):
    encoder = make()
    encoder.step_mode = "m"
    encoder(direct(X, 3))
    with pytest.raises(ValueError, match="at step 3 of the encoding of another input"):
        encoder(direct(X.t(), 3))


@each
def test_the_error_names_the_place_in_the_net(make):
    net = torch.nn.Sequential(torch.nn.Identity(), make())
    net(X)
    with pytest.raises(ValueError, match=r"Encoder '1' is at step 1|Shift '1' is at step 1"):
        net(X.t())


@each
def test_reset_takes_another_input(make):
    net, fresh = torch.nn.Sequential(make()), make()
    for _ in range(3):
        net(X)
    functional.reset_net(net)
    assert [value for _, value in net[0].named_memories()] == [None, 0, None]
    other = X[0] / 2
    for _ in range(5):
        assert torch.equal(net(other), fresh(other))


def test_a_changing_sequence_raises():
    encoder = Shift(4, step_mode="m")
    text = r"encodes one input over time, but the steps of this sequence \(\[2, 2\], float32\)"
    with pytest.raises(ValueError, match=text + r" differ: .*encoding.direct\(x, T\)"):
        encoder(X)
    assert encoder.spike is None


def test_m_refuses_what_is_no_sequence():
    encoder = Shift(4, step_mode="m")
    with pytest.raises(ValueError, match="multi-step input is a sequence"):
        encoder(torch.tensor(0.5))
    with pytest.raises(ValueError, match="at least one step"):
        encoder(torch.empty(0, 3))


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_first_call_needs_an_input(step_mode):
    with pytest.raises(
        ValueError, match="Shift has nothing to play: its first call after a reset"
    ):
        Shift(4, step_mode)()


def test_only_tensors_are_encoded():
    encoder = Shift(4)
    with pytest.raises(TypeError, match="Shift takes a tensor, got list"):
        encoder([0.5])
    encoder(X)
    with pytest.raises(TypeError, match="Shift takes a tensor, got float"):
        encoder(0.5)


def test_another_device_raises():
    encoder = Shift(4)
    encoder(X)
    text = r"is on cpu but this one is on meta: move the net with net.to\(device\)"
    with pytest.raises(RuntimeError, match=text):
        encoder(X.to("meta"))


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_outputs_belong_to_the_caller(step_mode):
    encoder = Shift(3, step_mode)
    x = X if step_mode == "s" else direct(X, 3)
    for _ in range(3):
        encoder(x).fill_(-1.0)
    assert (encoder.spike >= 0).all()


@pytest.mark.parametrize("T", [0, -3, 2.5, True, None, "8"])
@pytest.mark.parametrize("make", [Shift, LatencyEncoder])
def test_bad_T_is_refused(make, T):
    text = rf"T must be an int of at least 1 \(in time steps\), got {re.escape(repr(T))}"
    with pytest.raises(ValueError, match=text):
        make(T)


@each
def test_bad_step_mode_is_refused(make):
    with pytest.raises(ValueError, match="step_mode must be 's' or 'm', got 'x'"):
        make().step_mode = "x"


@pytest.mark.parametrize(
    ("encoding", "got"),
    [(X, r"\[2, 2\]"), (torch.tensor(1.0), r"\[\]"), ([1, 2, 3], "list"), (None, "NoneType")],
)
def test_a_wrong_encoding_is_named(encoding, got):
    class Wrong(StatefulEncoder):
        def single_step_encode(self, x):
            return encoding

    encoder = Wrong(3)
    with pytest.raises(ValueError, match=rf"must give a tensor \[T, N, \*\] with T=3, got {got}"):
        encoder(X)
    assert encoder.spike is None


def test_a_wrong_encoding_that_was_assigned_is_dropped():
    class Wrong(StatefulEncoder):
        def single_step_encode(self, x):
            self.spike = x

    encoder = Wrong(3)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"must give a tensor \[T, N, \*\] with T=3, got"):
            encoder(X)


def test_base_classes_name_what_is_missing():
    with pytest.raises(NotImplementedError, match=r"must define single_step_encode\(x\)"):
        StatefulEncoder(3)(X)
    with pytest.raises(NotImplementedError, match=r"must define forward\(x\)"):
        StatelessEncoder()(X)
    with pytest.raises(ValueError, match="step_mode must be 's' or 'm', got 'x'"):
        StatelessEncoder("x")


@each
def test_copies_go_on_from_the_same_step(make):
    encoder = make()
    steps = [encoder(X) for _ in range(4)]
    encoder(X)
    assert torch.equal(copy.deepcopy(encoder)(X), steps[1])
    assert encoder.t == 1


def test_pickles_go_on_from_the_same_step():
    encoder = LatencyEncoder(4)
    steps = [encoder(X) for _ in range(4)]
    encoder(X)
    assert torch.equal(pickle.loads(pickle.dumps(encoder))(X), steps[1])


def test_moving_to_double_moves_the_encoding():
    encoder = Shift(4)
    encoder(X)
    encoder.double()
    assert encoder(X.double()).dtype == torch.float64


def test_states_are_arguments_of_the_functional_form():
    encoder = Shift(4)
    step = base.to_functional_forward(encoder)
    (first,), states = step((X,), (None, 0, None))
    (second,), states = step((X,), states)
    assert torch.equal(first, X)
    assert torch.equal(second, X + 1)
    assert states[1] == 2
    assert encoder.spike is None


def test_a_recomputation_raises():
    encoder, weight = Shift(4), torch.ones(2, requires_grad=True)

    def run(x):
        return encoder(x) * weight

    y = torch.utils.checkpoint.checkpoint(run, X, use_reentrant=False)
    with pytest.raises(RuntimeError, match=r"Shift runs inside a backward pass"):
        y.sum().backward()


def test_encodings_are_not_in_the_state_dict():
    encoder = Shift(4)
    encoder(X)
    assert not encoder.state_dict()


def test_repr():
    assert repr(Shift(4)) == "Shift(T=4, step_mode='s')"

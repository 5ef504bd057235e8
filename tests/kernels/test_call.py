"""What one call brings to a program, or why no program can run it."""

import re

import pytest
import torch
from cases import sequence
from spikeframe.kernels.call import Call, Ready, why_not_parameters
from torch import nn

from spikeframe import neuron

X = torch.zeros(5, 2, 3)


def call_of(node, *inputs):
    """A call of a node whose states fit."""
    node.fit_memories(inputs[0][0])
    return Call(node, inputs)


class Modulated(neuron.BaseNode):
    """Takes two inputs."""

    def neuronal_charge(self, x, gain):
        self.v = self.v + gain * x


def test_a_plain_call_is_ready():
    node, x_seq = neuron.ParametricLIFNode(), sequence((2, 3))
    ready = call_of(node, x_seq).ready
    assert isinstance(ready, Ready)
    assert ready.x_seqs[0] is x_seq
    assert ready.states[0] is node.v
    assert (ready.names, ready.dtype, ready.enlarged) == (("v",), torch.float32, None)
    assert len(ready.parameters) == len(ready.known.trace.parameters)
    assert any(isinstance(p, torch.Tensor) and p.requires_grad for p in ready.parameters)


@pytest.mark.parametrize(
    ("given", "through", "out"),
    [
        (torch.float16, torch.float16, torch.float16),
        (torch.float64, torch.float64, torch.float64),
        (torch.int64, torch.float32, torch.float32),
        (torch.bool, torch.float32, torch.float32),
    ],
)
def test_the_dtype_of_inputs_and_spikes(given, through, out):
    ready = call_of(neuron.IFNode(), X.to(given)).ready
    assert (ready.x_seqs[0].dtype, ready.dtype) == (through, out)


def test_inputs_meet_in_the_wider_dtype_and_spikes_in_the_first():
    ready = call_of(Modulated(), X.to(torch.bfloat16), X).ready
    assert {x.dtype for x in ready.x_seqs} == {torch.float32}
    assert ready.dtype == torch.bfloat16


def test_what_is_kept_of_a_state_is_in_its_precision():
    ready = call_of(neuron.IFNode(store_v_seq=True), X.half()).ready
    assert (ready.x_seqs[0].dtype, ready.dtype) == (torch.float32, torch.float16)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (X[:, :1], r"inputs differ: \[5, 2, 3\] on cpu and \[5, 1, 3\] on cpu"),
        (X.double(), "inputs are torch.float32 and torch.float64"),
        (X.to(torch.float8_e5m2), "an input is torch.float8_e5m2"),
        (X.to_sparse(), "an input is a tensor without plain storage .torch.sparse_coo"),
        (X.to("meta"), "an input is a tensor without plain storage .*meta"),
        (0.5, "an input is a float, not a plain tensor"),
    ],
)
def test_inputs_that_no_program_reads(other, reason):
    found = call_of(Modulated(), X, other).ready
    assert isinstance(found, str)
    assert re.search(reason, found)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (0.5, "its memory v is a float, not a plain tensor"),
        (X[0].double(), "its memory v is torch.float64 of shape [2, 3]"),
        (X[0, 0], "its memory v is torch.float32 of shape [3]"),
    ],
)
def test_states_that_do_not_fit(state, reason):
    node = neuron.IFNode()
    node.v = state
    assert Call(node, (X,)).ready == reason


def test_why_a_parameter_is_left_to_the_lines():
    wide = torch.ones(3, dtype=torch.float64)
    for parameters, reason in (
        ([1.0, torch.ones(3), torch.ones((), dtype=torch.float64)], None),
        ([torch.ones(3, dtype=torch.complex64)], "a parameter is torch.complex64"),
        ([torch.ones(3, device="meta")], "a parameter is on meta but the input is on cpu"),
        ([torch.ones((), device="meta")], None),
        ([0.5, wide], r"a float64 parameter of shape [3] makes the states float64"),
    ):
        found = why_not_parameters(parameters, X)
        assert found is None if reason is None else found.startswith(reason)
    assert why_not_parameters([wide], X.double()) is None
    assert "of shape [] makes" in why_not_parameters([wide[0]], X[:, 0, 0])
    assert why_not_parameters([wide[0]], X[:, 0]) is None


def test_a_parameter_that_enlarges_is_told_apart():
    for shape, fits in (((3,), True), ((2, 1), True), ((2,), False), ((4, 2, 3), False)):
        node = neuron.IFNode(v_threshold=nn.Parameter(torch.ones(shape)))
        enlarged = call_of(node, X).ready.enlarged
        assert (enlarged is None) == fits
        if not fits:
            assert f"a parameter of shape {list(shape)} does not broadcast" in enlarged


def test_a_call_is_asked_once():
    call = call_of(neuron.IFNode(), X)
    assert call.ready is call.ready

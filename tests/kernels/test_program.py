"""The program of a step: what it saves, its text, its lines."""

import subprocess
import sys
import time

import pytest
import torch
from cases import RESETS, sequence
from foreign_neurons import FOREIGN, Refractory
from naming import shown
from spikeframe.kernels.cache import traced
from spikeframe.kernels.program import compile_trace

from spikeframe import neuron, surrogate


def program(node, n_inputs=1, differentiated=()):
    return traced(node, n_inputs).program((), differentiated)


class Adaptive(neuron.BaseNode):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.register_memory("a", 0.0)

    def neuronal_charge(self, x):
        self.v = 0.9 * self.v + x

    def neuronal_fire(self):
        return self.surrogate_function(self.v - (self.v_threshold + self.a))

    def neuronal_reset(self, spike):
        super().neuronal_reset(spike)
        self.a = 0.8 * self.a + spike


def test_a_spike_that_is_a_truth_value_is_told_from_others():
    assert program(neuron.LIFNode()).is_binary
    assert program(Adaptive()).is_binary
    assert not program(
        neuron.LIFNode(surrogate_function=surrogate.Sigmoid(spiking=False))
    ).is_binary


@pytest.mark.parametrize(("v_reset", "detach_reset"), RESETS)
def test_plain_neurons_save_one_value_and_no_input(v_reset, detach_reset):
    options = {"v_reset": v_reset, "detach_reset": detach_reset}
    for node in (neuron.IFNode(**options), neuron.LIFNode(**options)):
        found = program(node)
        assert (found.n_saved, found.saved_inputs) == (1, ())


def test_saved_values_of_learned_and_several_states():
    plif = program(neuron.ParametricLIFNode(), differentiated=(1,))
    assert plif.n_saved + len(plif.saved_inputs) <= 2
    adaptive = program(Adaptive())
    assert adaptive.n_saved == 2
    assert program(Refractory()).saved.count("value") <= 2


def test_without_a_gradient_nothing_is_saved():
    found = traced(neuron.LIFNode()).program((), None)
    assert (found.n_saved, found.saved_inputs, found.backward) == (0, (), None)


@pytest.mark.parametrize(("name", "build", "n"), FOREIGN, ids=shown)
@pytest.mark.parametrize("differentiated", [None, (), (0,)])
def test_no_line_is_dead_and_none_reads_ahead(name, build, n, differentiated):
    found = traced(build(), n).program((0,), differentiated)
    for code in (found.forward, found.backward):
        if code is None:
            continue
        targets = [line.target for line in code.lines]
        read = {o for line in code.lines for o in line.operands} | set(code.results)
        assert set(targets) <= read
        for i, line in enumerate(code.lines):
            later = set(targets[i:])
            assert not later & set(line.operands)
    assert len(found.forward.results) == 2 + found.n_states + found.n_saved


def test_the_text_is_the_same_in_every_process():
    script = (
        "from foreign_neurons import Refractory; from spikeframe.kernels.cache import traced;"
        "print(traced(Refractory()).program((0,), (0,)).text)"
    )
    folder = __file__.rpartition("/")[0]
    texts = set()
    for seed in ("0", "1", "77"):
        made = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {folder!r}); {script}"],
            env={**__import__("os").environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        )
        texts.add(made.stdout.strip())
    assert texts == {traced(Refractory()).program((0,), (0,)).text}


def test_texts_tell_programs_apart():
    def text(**options):
        return program(neuron.LIFNode(**options)).text

    assert text() == text(tau=3.0)
    others = [
        text(),
        text(v_reset=None),
        text(detach_reset=True),
        text(decay_input=False),
        text(surrogate_function=surrogate.ATan()),
        text(surrogate_function=surrogate.Sigmoid(strict=True)),
    ]
    assert len(set(others)) == len(others)


class Long(neuron.BaseNode):
    """Three states and many lines."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.register_memory("a", 0.0)
        self.register_memory("b", 0.0)

    def neuronal_charge(self, x):
        for i in range(8):
            self.a = self.a * 0.9 + torch.tanh(x * (i + 1.0)) * self.b
            self.b = torch.sigmoid(self.b - self.v) * 0.5 + self.a
            self.v = 0.9 * self.v + self.a * self.b + x


def test_large_steps_compile_quickly():
    made = traced(Long()).trace
    times = []
    for _ in range(3):
        start = time.perf_counter()
        found = compile_trace(made)
        times.append(time.perf_counter() - start)
    assert len(found.forward.lines) > 60
    assert found.n_saved + len(found.saved_inputs) <= 4
    assert min(times) < 0.25


@pytest.mark.parametrize("v_threshold", [1e9, float("inf")])
@pytest.mark.parametrize("v_reset", [0.0, None])
@pytest.mark.parametrize("detach_reset", [False, True])
def test_thresholds_never_reached_leave_the_gradient_of_the_integrator(
    v_threshold, v_reset, detach_reset
):
    grads = []
    for backend in ("eager", "torch"):
        node = neuron.LIFNode(
            v_threshold=v_threshold,
            v_reset=v_reset,
            detach_reset=detach_reset,
            backend=backend,
            step_mode="m",
        )
        x_seq = sequence((3, 5)).requires_grad_()
        (node(x_seq).sum() + node.v.sum()).backward()
        grads.append(x_seq.grad)
    assert grads[1].isfinite().all()
    assert grads[1].abs().min() > 0
    torch.testing.assert_close(grads[1], grads[0], rtol=1e-5, atol=1e-7)


def _rectangular(**options):
    return neuron.LIFNode(surrogate_function=surrogate.Rect(), **options)


@pytest.mark.parametrize("rounded", [False, True])
def test_a_window_needs_bits_where_the_reset_allows(rounded):
    def saved(node, differentiated=()):
        return traced(node).program((), differentiated, rounded).saved

    assert saved(_rectangular(v_reset=None)) == ("bit",)
    assert saved(_rectangular(v_reset=None, detach_reset=True)) == ("bit",)
    assert saved(_rectangular(detach_reset=True)) == ("bit", "bit")
    # The hard reset's gradient is the membrane itself; a smooth surrogate needs the distance.
    assert "value" in saved(_rectangular())
    assert "value" in saved(neuron.LIFNode(v_reset=None))


@pytest.mark.parametrize(("name", "build", "n"), FOREIGN, ids=shown)
def test_no_truth_value_comes_from_a_rounded_one(name, build, n):
    found = traced(build(), n).program((), (), rounded=True)
    steps = {"lt", "le", "gt", "ge", "eq", "ne", "round", "floor", "ceil", "sign"}
    assert not steps & {line.op for line in found.backward.lines}


def test_a_truth_value_of_parameters_alone_is_not_kept():
    class Masked(neuron.BaseNode):
        def __init__(self, **options):
            super().__init__(**options)
            self.register_buffer("mask", torch.tensor([True, False, True]))

        def neuronal_charge(self, x):
            self.v = torch.where(self.mask, 0.9, 0.5) * self.v + torch.where(self.mask, x, -x)

    known = traced(Masked(v_reset=None, surrogate_function=surrogate.Rect()))
    assert known.program((), (), rounded=True).saved == ("bit",)

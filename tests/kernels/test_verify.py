"""A program is compared with the hooks before it is trusted, and nothing is disturbed by it."""

import dataclasses
import random

import pytest
import torch
from cases import sequence
from foreign_neurons import FOREIGN, Refractory
from naming import shown
from spikeframe.kernels import verify as verify_module
from spikeframe.kernels.cache import traced
from spikeframe.kernels.guards import Guards
from spikeframe.kernels.program import compile_trace
from spikeframe.kernels.trace import trace
from spikeframe.kernels.untraceable import Untraceable
from spikeframe.kernels.verify import verify
from torch import nn

from spikeframe import neuron, surrogate


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Nothing was checked before."""
    monkeypatch.setattr(verify_module, "_CHECKED", {})


def parts(node, n=1):
    names = tuple(name for name, _ in node.named_memories())
    made = trace(node, names, n, False, Guards())

    def compiled(sequences, differentiated):
        return compile_trace(made, sequences=sequences, differentiated=differentiated)

    return made, compiled


def broken(compiled, where, at, op):
    """The same compiler with one operation replaced."""

    def changed(sequences, differentiated):
        program = compiled(sequences, differentiated)
        code = getattr(program, where)
        lines = [*code.lines]
        lines[at] = dataclasses.replace(lines[at], op=op)
        return dataclasses.replace(
            program, **{where: dataclasses.replace(code, lines=tuple(lines))}
        )

    return changed


def is_tensor(uniform):
    return isinstance(uniform.value, torch.Tensor)


SWAPS = {"add": "sub", "sub": "add", "mul": "add", "div": "mul", "ge": "lt", "gt": "le"}


def swaps(code):
    return [(i, SWAPS[line.op]) for i, line in enumerate(code.lines) if line.op in SWAPS]


@pytest.mark.parametrize("build", [neuron.LIFNode, neuron.ParametricLIFNode, Refractory])
def test_every_wrong_line_is_found(build):
    node = build()
    made, compiled = parts(node)
    verify(node, made, compiled)
    tensors = [i for i, (uniform, _) in enumerate(made.parameters) if is_tensor(uniform)]
    program = compiled((), tensors)
    for where, word in (("forward", "values|gradients"), ("backward", "gradients")):
        for at, op in swaps(getattr(program, where)):
            wrong = broken(compiled, where, at, op)
            with pytest.raises(Untraceable, match=f"other ({word}) than the program|raises"):
                verify(node, made, wrong)


def test_a_failure_is_a_reason_and_the_lines_run():
    class Lying(surrogate.ATan):
        """Its gradient depends on what a trace cannot see."""

        def gradient(self, u, grad):
            return super().gradient(u, grad) * (1.0 if grad.dtype == torch.float32 else 2.0)

    node = neuron.IFNode(surrogate_function=Lying(), step_mode="m")
    assert "has other gradients than the program made of it" in traced(node).reason
    assert node(sequence((3,))).shape == (7, 3)


@pytest.mark.parametrize(("name", "build", "n"), FOREIGN, ids=shown)
def test_nothing_is_disturbed(name, build, n):
    node = build(store_v_seq=True)
    x = sequence((2, 4, 5))[0]
    node.backend = "eager"
    node(*[x] * n)
    calls = []
    node.register_forward_hook(lambda *args: calls.append(args))
    states = {key: value.clone() for key, value in node.named_memories()}
    records = node.v_seq.clone()
    attributes = {key: id(value) for key, value in vars(node).items()}
    generators = torch.get_rng_state(), random.getstate()
    assert traced(node, n).reason is None
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert random.getstate() == generators[1]
    assert all(torch.equal(value, states[key]) for key, value in node.named_memories())
    assert torch.equal(node.v_seq, records)
    assert {key: id(value) for key, value in vars(node).items()} == attributes
    assert all(p.grad is None for p in node.parameters())
    assert not calls


@pytest.mark.parametrize(
    "mode",
    [
        torch.no_grad,
        torch.inference_mode,
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        lambda: torch.device("meta"),
    ],
)
def test_modes_of_the_caller_do_not_matter(mode):
    node = Refractory(step_mode="m")
    expected = traced(Refractory()).program((), (0,)).text
    with mode():
        found = traced(node)
        assert found.reason is None
        assert torch.is_grad_enabled() == (mode not in (torch.no_grad, torch.inference_mode))
    assert found.program((), (0,)).text == expected


def test_nodes_on_the_meta_device_are_checked_by_numbers_in_their_place():
    node = Refractory().to("meta")
    assert traced(node).reason is None
    with torch.inference_mode():
        frozen = Refractory()
    assert traced(frozen).reason is None


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4, 1, 1), (1, 4, 1, 5), (70_000,)])
def test_parameters_of_any_shape_are_checked(shape):
    node = neuron.LIFNode(
        v_threshold=nn.Parameter(torch.rand(shape) + 0.5), tau=torch.full(shape, 2.5)
    )
    assert traced(node).reason is None


def test_parameters_that_fit_no_input_are_a_reason():
    node = neuron.LIFNode(v_threshold=torch.ones(3), tau=torch.full((4,), 2.0))
    assert "raises RuntimeError" in traced(node).reason

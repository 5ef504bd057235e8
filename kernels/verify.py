"""Compares a program with the very hooks it was traced from, before it is trusted."""

import types
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch._subclasses.fake_tensor import FakeTensor

from . import coupling, torch_program
from .engine import Engine, parameter_grads
from .layout import Layout
from .linear_map import make_map
from .program import Program, compile_trace
from .step_loop import couple
from .trace import Trace, clean
from .trace import trace as retrace
from .untraceable import Untraceable, located

__all__ = ["verify"]

STEPS, BATCH, ELEMENTS = 3, 6, 30_000
# Both sides compute in float64; a wrong line is wrong by far more.
TOLERANCE = 1e-6

ENGINE = Engine(
    torch_program.forward,
    torch_program.backward,
    torch_program.why_not,
    new_saved=torch_program.new_saved,
)

Compiled = Callable[[Sequence[int], Sequence[int]], Program]
Checked = set[tuple[Any, ...]]
_CHECKED: "weakref.WeakKeyDictionary[type, Checked]" = weakref.WeakKeyDictionary()


def verify(node: Any, trace: Trace, compiled: Compiled) -> None:
    """Run hooks and program side by side on a small random input; once per code and program.

    The node is left alone: a twin of it, on the CPU, stands in.

    Arguments:
        node: The node.
        trace: Its trace.
        compiled: Makes the program with the given parameters differentiated.

    Raises:
        Untraceable: Values or gradients differ, or the hooks raise.
    """
    checked = _CHECKED.setdefault(type(node), set())
    with clean(), temporarily_clear_interpreter_stack(), torch.device("cpu"):
        try:
            stand_in = twin(node)
            program = compiled((), _learnable(stand_in, trace))
            kinds = tuple(type(module) for module in _maps(node, trace))
            key = (program.text, trace.codes, *trace.maps, *kinds)
            if key not in checked:
                _compare(stand_in, trace, program)
                _compare_shaken(node, trace, program)
        except Exception as error:
            raise located(error) from error
    checked.add(key)


def _compare_shaken(node: Any, trace: Trace, program: Program) -> None:
    """Compare with other numbers, where the node does the same with them.

    A reset to 0 or a factor of 1 would hide a wrong line.
    """
    other = twin(node, shake=True)
    try:
        names = tuple(name for name, _ in trace.states)
        again = retrace(other, names, trace.n_inputs)
    except Untraceable:
        return
    if _forward(again) == _forward(trace):
        _compare(other, again, program)


def _forward(trace: Trace) -> str:
    return compile_trace(trace, backward=False).text


def _learnable(node: Any, trace: Trace) -> list[int]:
    """The parameters that are tensors: each may require a gradient one day."""
    values = [uniform.evaluate(node) for uniform, _ in trace.parameters]
    return [i for i, value in enumerate(values) if getattr(value, "requires_grad", False)]


def twin(module: Any, shake: bool = False) -> Any:
    """A module with the same attributes, whose tensors are on the CPU and differentiable.

    Arguments:
        module: The module.
        shake: Whether its numbers become others.
    """
    made = object.__new__(type(module))
    for name, value in vars(module).items():
        made.__dict__[name] = _copied(value, shake)
    for name, value in vars(module).items():
        if isinstance(value, types.MethodType) and value.__self__ is module:
            made.__dict__[name] = types.MethodType(value.__func__, made)
    return made


def _copied(value: Any, shake: bool) -> Any:
    if type(value) is float and shake:
        return value * 1.25 + 0.375
    if isinstance(value, Tensor):
        return _concrete(value)
    if type(value) is dict:
        return {name: _copied(item, shake) for name, item in value.items()}
    if isinstance(value, nn.Module):
        return twin(value, shake)
    return value


def _concrete(tensor: Tensor) -> Tensor:
    if tensor._has_symbolic_sizes_strides:
        return torch.zeros((), dtype=tensor.dtype)  # a state, which verify replaces
    if tensor.is_meta or isinstance(tensor, FakeTensor) or is_functorch_wrapped_tensor(tensor):
        values = torch.linspace(0.5, 1.5, max(1, tensor.numel()), dtype=torch.float64)
        made = values[: tensor.numel()].reshape(tensor.shape).to(tensor.dtype)
    else:
        made = tensor.detach().to("cpu", copy=True)
    return made.requires_grad_(made.is_floating_point())


def _compare(node: Any, trace: Trace, program: Program) -> None:
    for module in _maps(node, trace):
        for name, weight in module.named_parameters():
            module._parameters[name] = weight.detach().double().requires_grad_()
    parameters = [uniform.evaluate(node) for uniform, _ in trace.parameters]
    x_seqs, states = _inputs(node, trace, parameters)
    known = [p for p in node.parameters() if p.requires_grad]
    known += [b for b in node.buffers() if b.requires_grad]
    hooks, wanted = _by_hooks(node, trace, x_seqs, states, known)
    couplings, weights = coupling.bind(
        trace.maps, [name for name, _ in trace.states], node, len(parameters)
    )
    values, found = _by_program(program, couplings, x_seqs, states, [*parameters, *weights], known)
    if not all(map(_close, hooks, values)):
        raise Untraceable("gives other values than the program made of it")
    if not all(map(_close_where_finite, wanted, found)):
        raise Untraceable("has other gradients than the program made of it")


def _maps(node: Any, trace: Trace) -> list[Any]:
    """The modules that are linear maps of states."""
    return coupling.modules(trace.maps, node)


def _inputs(
    node: Any, trace: Trace, parameters: Sequence[Any]
) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and states of several sizes; every other state is as after a reset."""
    known = [*parameters, *(node.get_reset_value(name) for name, _ in trace.states)]
    shapes: list[Sequence[int]] = [p.shape for p in known if isinstance(p, Tensor)]
    shapes += [make_map(m)(m.weight, m.bias).step_shape() for m in _maps(node, trace)]
    shape = torch.broadcast_shapes(*shapes)
    batch = max(2, min(BATCH, ELEMENTS // max(1, shape.numel())))
    generator = torch.Generator().manual_seed(0)

    def draw(*size: int) -> Tensor:
        of = (*size, batch, *shape)
        values = torch.rand(of, generator=generator, dtype=torch.float64) * 2.6 - 0.4
        return values * 10.0 ** torch.randint(0, 3, of, generator=generator)

    def start(name: str) -> Tensor:
        value = node.get_reset_value(name)
        reset = torch.as_tensor(value, dtype=torch.float64).detach()
        apart = torch.arange(batch).reshape(-1, *[1] * len(shape)) % 2
        return (reset + draw() * apart).requires_grad_()

    return [draw(STEPS).requires_grad_() for _ in range(trace.n_inputs)], [
        start(name) for name, _ in trace.states
    ]


def _by_hooks(
    node: Any, trace: Trace, x_seqs: list[Tensor], states: list[Tensor], known: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    for (name, _), state in zip(trace.states, states, strict=True):
        setattr(node, name, state.clone())
    steps = zip(*(x.unbind(0) for x in x_seqs), strict=True)
    spikes = torch.stack([node.single_step_forward(*inputs) for inputs in steps])
    values = [spikes, *(getattr(node, name) for name, _ in trace.states)]
    loss = torch.stack([(value * _weights(value)).sum() for value in values]).sum()
    return values, _gradients([loss], [*x_seqs, *states, *known], [torch.ones_like(loss)])


def _by_program(
    program: Program,
    couplings: tuple[coupling.Coupling, ...],
    x_seqs: list[Tensor],
    states: list[Tensor],
    parameters: list[Any],
    known: list[Tensor],
) -> tuple[list[Tensor], list[Tensor]]:
    wanted = (*program.differentiated, *(i for c in couplings for i in c.weights))
    engine, program = couple(ENGINE, program, couplings, wanted)
    layout = Layout(x_seqs[0])
    with torch.no_grad():
        outputs, last, saved = engine.forward(program, layout, x_seqs, states, parameters)
        cotangents = [_weights(value) for value in (outputs[0], *last)]
        inputs = {i: x_seqs[i] for i in program.saved_inputs}
        x_grads, state_grads, totals = engine.backward(
            program, layout, cotangents[:1], cotangents[1:], saved, inputs, parameters
        )
    learned = [parameters[i] for i in program.differentiated]
    sums = list(parameter_grads(program, totals, parameters).values())
    return [outputs[0], *last], [*x_grads, *state_grads, *_gradients(learned, known, sums)]


def _gradients(
    outputs: list[Tensor], wanted: list[Tensor], cotangents: list[Tensor]
) -> list[Tensor]:
    """Gradients, zeros where there are none."""
    pairs = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o.requires_grad]
    if not pairs or not wanted:
        return [torch.zeros_like(w) for w in wanted]
    given, weights = map(list, zip(*pairs, strict=True))
    found = torch.autograd.grad(given, wanted, weights, allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for w, g in zip(wanted, found, strict=True)]


def _weights(value: Tensor) -> Tensor:
    return torch.linspace(-1, 1, value.numel(), dtype=torch.float64).reshape(value.shape)


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(
        a.detach().to(b.dtype), b, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True
    )


def _close_where_finite(a: Tensor, b: Tensor) -> bool:
    """A gradient that is no number on the hooks' side has no right value on the other."""
    scale = torch.finfo(a.dtype).eps / torch.finfo(torch.float64).eps
    tolerance = TOLERANCE * min(scale, 1e3)
    a, b = a.detach(), b.detach().to(a.dtype)
    near = torch.isclose(a, b, rtol=tolerance, atol=tolerance)
    return bool((near | ~a.isfinite()).all())

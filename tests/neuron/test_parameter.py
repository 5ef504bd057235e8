"""What the equations read: every number may be an int, a tensor, or learned."""

import inspect

import pytest
import torch
from cases import EVERY_NEURON, NEURONS, TOLERANCE
from reference import relative_error
from spikeframe.kernels.cache import traced
from torch import nn

from spikeframe import surrogate
from spikeframe.neuron.parameter import Scalar, check_positive, precise

SHARED = ("v_threshold", "v_reset")


def scalars(case):
    """The constructor's arguments that may be tensors, with a value of each."""
    for cls in case.make.__mro__:
        if "__init__" not in vars(cls):
            continue
        for name, argument in inspect.signature(cls.__init__).parameters.items():
            if argument.annotation not in (Scalar, Scalar | None):
                continue
            value = case.arguments.get(name, argument.default)
            yield name, 1.0 if value in (None, inspect.Parameter.empty) else float(value)


def pairs(cases):
    own = {(case, name): value for case in cases for name, value in reversed([*scalars(case)])}
    return [
        (case, name, value)
        for (case, name), value in own.items()
        if case.takes(name) and name != "init_tau"
    ]


EVERY = pairs(EVERY_NEURON)
OWN = [row for row in EVERY if row[1] not in SHARED and row[0] not in NEURONS]


def spread(value):
    """Three values around one."""
    steps = torch.arange(3.0)
    return value * (1 + 0.1 * steps) if value else 0.05 * steps


def run(case, inputs, backend, **arguments):
    common = case.known(surrogate_function=surrogate.ATan())
    node = case(**{**common, **case.options[0], **case.arguments, **arguments}, step_mode="m")
    node.backend = backend
    outputs = node(*inputs)
    return node, outputs


def test_there_are_rows():
    assert len(OWN) > 40
    assert {case.name for case, _, _ in EVERY} >= {"QIF", "RAF", "CUBA-refractory", "KLIF"}


@pytest.mark.parametrize(("case", "name", "value"), EVERY, ids=str)
def test_an_int_is_a_number(case, name, value):
    whole = 2 if name in ("tau", "tau_w", "tau_a", "v_threshold") else round(value)
    if (name == "b" and case.name == "RAF") or whole == 0 != value:
        whole = -1 if value < 0 else 1
    ints, floats = (case(**(case.arguments | {name: kind(whole)})) for kind in (int, float))
    assert repr(ints) == repr(floats)
    assert type(getattr(ints, name)) is float


@pytest.mark.parametrize(("case", "name", "value"), OWN, ids=str)
def test_parameters_per_channel_learn(case, name, value):
    inputs = case.sequences((2, 3, 4))
    found = []
    for backend in ("eager", "torch"):
        parameter = nn.Parameter(spread(value).reshape(3, 1))
        node, outputs = run(case, inputs, backend, **{name: parameter})
        states = sum(getattr(node, state).sum() for state in case.states)
        (outputs.sum() + states).backward()
        assert name in dict(node.named_parameters())
        found.append((outputs.detach(), parameter.grad))
    (expected, expected_grad), (outputs, grad) = found
    assert grad.isfinite().all()
    assert grad.abs().min() > 0
    assert relative_error(grad, expected_grad) < TOLERANCE[torch.float32]
    if case.exact:
        assert torch.equal(outputs, expected)
    # Each channel computed alone, with its number, gives the same.
    for channel, number in enumerate(spread(value).tolist()):
        alone = [x[:, :, channel] for x in inputs]
        _, single = run(case, alone, "eager", **{name: number})
        assert torch.equal(single, expected[:, :, channel])


@pytest.mark.parametrize(("case", "name", "value"), OWN, ids=str)
def test_a_tensor_is_kept_as_a_buffer(case, name, value):
    node = case(**(case.arguments | {name: torch.full((3, 1), value)}))
    assert name in dict(node.named_buffers())
    assert f"{name}=tensor[3, 1]" in repr(node)
    node(*(x[0] for x in case.sequences((2, 3, 4))))
    node.reset()
    with pytest.raises(ValueError, match=rf"{name}.* has shape \[3, 1\], which does not broad"):
        node(*(x[0] for x in case.sequences((2, 4))))


def test_a_new_number_is_no_new_kernel():
    """Numbers are arguments of a kernel, also those of which it needs the exponential."""
    for case, name, value in OWN:
        node = case(**{**case.arguments, "step_mode": "m"})
        if case.takes("decode"):
            continue
        texts = set()
        for number in (value, value * 1.1 + (0.1 if value >= 0 else 0)):
            setattr(node, name, number)
            known = traced(node, case.inputs)
            texts.add(known.program((), ()).text)
        assert len(texts) == 1, (case, name)


def test_precise_is_in_double():
    assert precise(0.1).exp().item() == torch.tensor(0.1, dtype=torch.float64).exp().item()
    given = torch.tensor([0.1])
    assert precise(given) is given


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), torch.tensor([1.0, 0.0])])
def test_positive_numbers_are_checked(value):
    with pytest.raises(ValueError, match=r"tau_w must be finite and greater than 0 .in steps., g"):
        check_positive("tau_w", value, "in steps")
    check_positive("tau_w", torch.ones(2))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("QIF", {"a0": -1.0}, "a0 must be finite and greater than 0, got -1.0"),
        ("QIF", {"tau": 1}, "tau must be finite and greater than 1"),
        ("EIF", {"delta_T": 0.0}, "delta_T must be .* greater than 0, got 0.0"),
        ("Izhikevich", {"tau_w": 0}, r"tau_w must be .* 0 \(in time steps\), got 0.0"),
        ("AdEx", {"delta_T": 0.0}, "delta_T must be"),
        ("ALIF", {"tau_a": -3}, r"tau_a must be .* \(in time steps\), got -3.0"),
        ("CUBA-refractory", {"tau_ref": 0}, "tau_ref must be"),
        ("TernaryIF", {"v_threshold": -1.0}, "v_threshold must be finite and greater than 0"),
        ("TernaryLIF", {"v_reset": 1.5}, "v_reset must lie between -v_threshold and v_threshold"),
        ("RAF", {"b": 0.1}, "b must be less than 0, as it damps .* got 0.1"),
        ("RAF", {"omega": 0.0}, "omega must be"),
        ("RAF", {"dt": 0.0}, "dt must be"),
        ("ILIF", {"v_threshold": 0.0}, "v_threshold must be"),
        ("ILIF", {"surrogate_function": surrogate.MultiLevelSpikeCount(4, False)}, "spiking=Fals"),
        ("SimpleLIF", {"tau": 0.5}, "tau must be finite and greater than 1"),
        ("GLIF", {"T": 0}, "T must be an int of at least 1, got 0"),
        ("GLIF", {"init_tau": 1.0}, "init_tau must be between 0 and 1, got 1.0"),
        ("GLIF", {"step_mode": "s"}, "supports step_mode 'm' only, got 's'"),
        ("NonSpikingIF", {"decode": "max"}, "decode must be None or one of 'last-mem'.* got 'ma"),
        ("NonSpikingIF", {"decode": ["max"]}, r"decode must be None or one of .* got \['max'\]"),
    ],
)
def test_values_out_of_range_say_what_is_allowed(name, arguments, message):
    case = next(case for case in EVERY_NEURON if case.name == name)
    with pytest.raises(ValueError, match=message):
        case(**arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("QIF", {"v_c": "0.8"}, r"v_c must be a number, a tensor or an nn.Parameter, got '0.8'"),
        ("KLIF", {"scale_reset": 1}, "scale_reset must be True or False, got 1"),
        ("LIAF", {"act": torch.nn.ReLU}, "act must be a function, such as torch.relu, got <class"),
        ("ILIF", {"surrogate_function": surrogate.ATan()}, "MultiLevelSpikeCount, .* got ATan"),
        ("GLIF", {"inplane": 2.5}, "inplane must be an int of at least 1, got 2.5"),
        ("GLIF", {"T": 2.0}, "T must be an int of at least 1, got 2.0"),
        ("SimpleLIF", {"decay_input": "no"}, "decay_input must be True or False, got 'no'"),
    ],
)
def test_other_types_say_what_is_allowed(name, arguments, message):
    case = next(case for case in EVERY_NEURON if case.name == name)
    with pytest.raises(TypeError, match=message):
        case(**arguments)

"""What neurons share: arguments, parameters, readouts, what subclasses in the wild call."""

import inspect

import numpy as np
import pytest
import torch
from cases import NEURONS, TOLERANCE, sequence
from reference import relative_error
from torch import nn

from spikeframe import neuron, surrogate


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_nothing_is_shared_between_instances_by_default(case):
    first, second = case(), case()
    assert first.surrogate_function is not second.surrogate_function
    first.surrogate_function.spiking = False
    assert second.surrogate_function.spiking


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_ints_are_accepted_for_floats(case):
    tau = {"tau", "init_tau"} & set(case.arguments)
    ints = case(v_threshold=1, v_reset=0, **dict.fromkeys(tau, 2))
    floats = case(v_threshold=1.0, v_reset=0.0, **dict.fromkeys(tau, 2.0))
    assert repr(ints) == repr(floats)
    x = sequence((3,))[0]
    assert torch.equal(ints(x), floats(x))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"v_threshold": "1"}, TypeError, r"v_threshold must be a number.*got '1' \(str\)"),
        ({"v_threshold": True}, TypeError, r"v_threshold must be a number.*got True"),
        ({"v_reset": float("nan")}, ValueError, "v_reset must be a number, got nan"),
        ({"v_reset": float("inf")}, ValueError, "v_reset must be finite, got inf"),
        (
            {"v_threshold": torch.tensor(True)},
            TypeError,
            r"must have real values, got torch\.bool",
        ),
        ({"v_threshold": torch.tensor(float("nan"))}, ValueError, "numbers, got nan among them"),
        ({"v_threshold": None}, TypeError, "v_threshold must be a number.*got None"),
        ({"detach_reset": 1}, TypeError, "detach_reset must be True or False, got 1"),
        ({"store_v_seq": "yes"}, TypeError, "store_v_seq must be True or False, got 'yes'"),
        ({"surrogate_function": 3}, TypeError, "must be callable, such as surrogate.ATan.., got"),
        ({"surrogate_function": surrogate.ATan}, TypeError, r"write ATan\(\) rather than ATan"),
        ({"step_mode": "mm"}, ValueError, "step_mode must be 's' or 'm', got 'mm'"),
        ({"backend": "gpu"}, ValueError, "backend must be one of .* got 'gpu'"),
    ],
)
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_bad_arguments_say_what_is_allowed(case, arguments, error, message):
    with pytest.raises(error, match=message):
        case(**arguments)


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_bad_inputs_say_what_is_allowed(case):
    with pytest.raises(TypeError, match="takes a tensor, got float"):
        case()(1.0)
    with pytest.raises(TypeError, match="takes real inputs, got torch.complex64"):
        case()(torch.zeros(2, dtype=torch.complex64))


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_print_shows_the_arguments(case):
    text = repr(case(v_reset=None, step_mode="m"))
    assert "v_threshold=1.0, v_reset=None, detach_reset=False, step_mode=m, backend=auto" in text
    assert "(surrogate_function): Sigmoid(alpha=4.0" in text
    assert "v_threshold=Parameter[3]" in repr(case(v_threshold=nn.Parameter(torch.ones(3))))


@pytest.mark.parametrize("v_reset", [0.0, None])
@pytest.mark.parametrize("detach_reset", [False, True])
@pytest.mark.parametrize("v_threshold", [1e9, float("inf")])
@pytest.mark.parametrize("kind", ["number", "tensor", "parameter"])
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_readouts_have_finite_and_right_gradients(case, kind, v_threshold, detach_reset, v_reset):
    """A threshold that is never reached leaves the plain integrator and its gradient."""
    given = {
        "number": v_threshold,
        "tensor": torch.full((3,), v_threshold),
        "parameter": nn.Parameter(torch.full((3,), v_threshold)),
    }[kind]
    node = case(
        v_threshold=given,
        v_reset=v_reset,
        detach_reset=detach_reset,
        surrogate_function=surrogate.ATan(),
        step_mode="m",
    )
    x_seq = sequence((2, 3)).requires_grad_()
    spikes = node(x_seq)
    (node.v.sum() + spikes.sum()).backward()
    assert not spikes.any()
    x = x_seq.detach().double().requires_grad_()
    v = torch.zeros(2, 3, dtype=torch.float64)
    for step in x.unbind(0):
        v = case.charge(v, step, 0.0, node)
    (expected,) = torch.autograd.grad(v.sum(), x)
    assert relative_error(node.v.detach(), v) < TOLERANCE[torch.float32]
    assert relative_error(x_seq.grad, expected) < TOLERANCE[torch.float32]
    for name, parameter in node.named_parameters():
        assert parameter.grad.isfinite().all(), name


def takes(case, name):
    return name in inspect.signature(case.make).parameters


@pytest.mark.parametrize("kind", ["tensor", "parameter"])
@pytest.mark.parametrize("shape", [(), (3,), (4, 1, 1)])
@pytest.mark.parametrize(
    ("case", "name"),
    [(c, n) for c in NEURONS for n in ("v_threshold", "v_reset", "tau") if takes(c, n)],
    ids=str,
)
def test_parameters_may_be_tensors_and_learn(case, name, shape, kind):
    base = {"v_threshold": 0.8, "v_reset": -0.2, "tau": 2.5}[name]
    values = base + 0.1 * torch.arange(torch.Size(shape).numel()).reshape(shape)
    value = nn.Parameter(values.clone()) if kind == "parameter" else values
    node = case(**{name: value}, surrogate_function=surrogate.ATan(), step_mode="m")
    x_seq = sequence((2, 4, 3, 3)).requires_grad_()
    spikes = node(x_seq)
    spikes.sum().backward()
    assert name in node.state_dict()
    assert (name in dict(node.named_parameters())) == (kind == "parameter")
    if kind == "tensor":
        return
    assert value.grad.shape == value.shape
    assert value.grad.abs().min() > 0
    # Each element computed alone, with its number, gives the same spikes.
    full = value.detach().expand(4, 3, 3)
    for c, i, j in [(0, 0, 0), (3, 1, 2)]:
        alone = case(**{name: full[c, i, j].item()}, step_mode="m")
        assert torch.equal(alone(x_seq.detach()[:, :, c, i, j]), spikes.detach()[:, :, c, i, j])


@pytest.mark.parametrize("name", ["v_threshold", "v_reset", "tau"])
def test_gradients_of_parameters_are_those_of_the_float64_lines(name):
    case = NEURONS[2]
    value = nn.Parameter(torch.tensor([0.9, 1.1, 0.7]) + (2 if name == "tau" else 0))
    node = case(**{name: value}, surrogate_function=surrogate.ATan(), step_mode="m")
    x_seq = sequence((2, 3))
    node(x_seq).sum().backward()
    p = value.detach().double().requires_grad_()
    th, reset, tau = (
        p if n == name else d for n, d in (("v_threshold", 1.0), ("v_reset", 0.0), ("tau", 2.7))
    )
    v, total = torch.zeros(2, 3, dtype=torch.float64) + reset, 0.0
    spike = surrogate.ATan()
    for x in x_seq.double():
        h = v - (v - reset) / tau + x
        s = spike(h - th)
        v, total = s * reset + (1 - s) * h, total + s.sum()
    (expected,) = torch.autograd.grad(total, p)
    assert relative_error(value.grad, expected) < TOLERANCE[torch.float32]


def test_parameters_that_enlarge_the_input_are_refused():
    message = r"IFNode '0': v_threshold has shape \[4, 1, 3\], which does not broadcast .*\[2, 3\]"
    with pytest.raises(ValueError, match=message):
        nn.Sequential(neuron.IFNode(v_threshold=torch.ones(4, 1, 3)))(torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"v_threshold has shape \[3\].*\[2, 4\]: give it one"):
        neuron.IFNode(v_threshold=torch.ones(3))(torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"v_reset has shape \[4\].*input \[2, 3\]"):
        neuron.IFNode(v_reset=torch.zeros(4))(torch.zeros(2, 3))
    node = neuron.IFNode()
    node.set_reset_value("v", torch.zeros(4))
    with pytest.raises(ValueError, match=r"reset value of v has shape \[4\].*input \[2, 3\]"):
        node(torch.zeros(2, 3))

    class Widened(neuron.BaseNode):
        def neuronal_charge(self, x):
            self.v = self.v + x + torch.ones(4, 1, 1)

    with pytest.raises(ValueError, match=r"\[2, 3\] gave spikes of shape \[4, 2, 3\]: parameters"):
        Widened()(torch.zeros(2, 3))


def test_a_step_that_fails_leaves_the_state_as_it_was():
    class Failing(neuron.BaseNode):
        fail = False

        def neuronal_charge(self, x):
            self.v = self.v + x
            if self.fail:
                raise KeyError("broken")

    for step_mode, x in (("s", torch.full((2,), 0.25)), ("m", torch.full((3, 2), 0.25))):
        node = Failing(step_mode=step_mode)
        node(x)
        before = node.v
        node.fail = True
        with pytest.raises(KeyError):
            node(x)
        assert node.v is before


def test_float64_parameters_do_not_reach_a_float32_state():
    node = neuron.LIFNode(tau=torch.tensor([2.0, 3.0], dtype=torch.float64))
    for _ in range(2):
        node(torch.ones(2))
    assert node.v.dtype == node.tau.dtype == torch.float32
    learned = neuron.IFNode(v_threshold=nn.Parameter(torch.ones(2, dtype=torch.float64)))
    with pytest.raises(ValueError, match=r"v_threshold is float64 .*float32: call net\.float\(\)"):
        learned(torch.ones(2))
    assert learned.float()(torch.ones(2)).tolist() == [1.0, 1.0]
    assert neuron.IFNode(v_threshold=torch.tensor(2))(torch.ones(2)).tolist() == [0.0, 0.0]


def test_numbers_of_numpy_are_numbers():
    assert repr(neuron.LIFNode(np.float32(2))) == repr(neuron.LIFNode(2.0))


def test_a_subclass_may_loop_itself_and_keep_v_seq():
    class Loop(neuron.IFNode):
        def multi_step_forward(self, x_seq):
            spikes, voltages = [], []
            for x in x_seq:
                spikes.append(self.single_step_forward(x))
                voltages.append(self.v)
            self.v_seq = torch.stack(voltages)
            return torch.stack(spikes)

    x_seq = sequence((3,))
    loop, plain = Loop(step_mode="m"), neuron.IFNode(step_mode="m", store_v_seq=True)
    assert torch.equal(loop(x_seq), plain(x_seq))
    assert torch.equal(loop.v_seq, plain.v_seq)


def test_only_memories_that_reset_to_a_float_take_the_inputs_shape():
    class Many(neuron.IFNode):
        def __init__(self):
            super().__init__()
            self.register_memory("count", 0)
            self.register_memory("ready", False)
            self.register_memory("table", torch.zeros(3, 3))
            self.register_memory("trace", 0.5)

        def neuronal_charge(self, x):
            super().neuronal_charge(x)
            self.count += 1
            self.trace = 0.5 * self.trace

    node = Many()
    for _ in range(2):
        node(torch.zeros(4))
    assert (node.count, node.ready, node.table.shape) == (2, False, (3, 3))
    assert node.trace.tolist() == [0.125] * 4


def test_parameters_and_surrogates_may_be_replaced_by_other_kinds():
    node = neuron.LIFNode()
    kinds = [torch.tensor([1.0, 2.0]), 2, nn.Parameter(torch.ones(2)), 1.5, torch.ones(())]
    for value in kinds:
        node.v_threshold = value
        assert node.v_threshold is value
        in_state = isinstance(value, torch.Tensor)
        assert ("v_threshold" in node.state_dict()) == in_state
        node.reset()
        node(torch.ones(3, 2))
    assert not list(node.parameters())
    for function in (torch.relu, surrogate.ATan(), torch.sigmoid):
        node.surrogate_function = function
        assert node.surrogate_function is function
    assert not list(node.children())


def test_the_documented_recipe_for_a_learned_threshold_works():
    node = neuron.LIFNode(step_mode="m")
    del node.v_threshold
    node.v_threshold = nn.Parameter(torch.tensor(1.0))
    node(sequence((5,))).sum().backward()
    assert node.v_threshold.grad.abs() > 0


def test_legacy_subclasses_work_unchanged():
    """Hooks that assign self.v, and the helpers they call."""

    class Legacy(neuron.BaseNode):
        def neuronal_charge(self, x):
            self.v = self.v + 0.5 * x

        def single_step_forward(self, x):
            self.v_float_to_tensor(x)
            self.neuronal_charge(x)
            spike = self.neuronal_fire()
            if self.v_reset is None:
                self.v = self.jit_soft_reset(self.v, spike, self.v_threshold)
            else:
                self.v = self.jit_hard_reset(self.v, spike, self.v_reset)
            return spike

    class Override(neuron.LIFNode):
        def neuronal_charge(self, x):
            self.v = self.v + 0.5 * x

    for v_reset in (0.0, None):
        x_seq = sequence((3,))
        legacy = Legacy(v_reset=v_reset, step_mode="m")
        override = Override(v_reset=v_reset, step_mode="m")
        assert torch.equal(legacy(x_seq), override(x_seq))
        assert torch.equal(legacy.v, override.v)


def test_direct_calls_of_the_single_step_create_the_state():
    node = neuron.IFNode(v_reset=0.25)
    node.single_step_forward(torch.tensor([0.5, 0.75]))
    assert node.v.tolist() == [0.75, 0.25]


def test_a_step_may_take_several_inputs():
    class Modulated(neuron.BaseNode):
        def neuronal_charge(self, x, gain):
            self.v = self.v + gain * x

    x_seq, gain = sequence((3,)), sequence((3,), seed=5)
    node, plain = Modulated(step_mode="m"), neuron.IFNode(step_mode="m")
    assert torch.equal(node(x_seq, gain), plain(x_seq * gain))
    single = Modulated()
    steps = [single(x, g) for x, g in zip(x_seq, gain, strict=True)]
    node.reset()
    assert torch.equal(torch.stack(steps), node(x_seq, gain))


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_any_callable_is_a_surrogate(case):
    def spike(u):
        return torch.sigmoid(u) + ((u >= 0).to(u) - torch.sigmoid(u)).detach()

    x_seq = sequence((3,)).requires_grad_()
    spikes = case(surrogate_function=spike, step_mode="m")(x_seq)
    spikes.sum().backward()
    assert (spikes.round() == case(step_mode="m")(x_seq)).all()
    assert x_seq.grad.abs().sum() > 0


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_the_primitive_replaces_spikes_when_asked(case):
    node = case(surrogate_function=surrogate.Sigmoid(spiking=False), step_mode="m")
    output = node(sequence((3,)))
    assert ((output > 0) & (output < 1)).all()

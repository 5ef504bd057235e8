"""What a trace takes, and what it refuses with function, file and line."""

import copy
import inspect
import math
import random
import re
import sys
import threading
import time
import types

import numpy
import pytest
import torch
from cases import sequence
from foreign_neurons import FOREIGN
from naming import shown
from spikeframe.kernels.cache import traced
from torch import nn

from spikeframe import kernels, neuron, surrogate

SCALE = 2.0
SCALES = {"a": 2.0}
BUFFER = torch.ones(3)
COUNT = 0
LOG = []


def make(charge, base=neuron.BaseNode, **attributes):
    """A neuron with this charge and these attributes."""
    node = type("Made", (base,), {"neuronal_charge": charge})(step_mode="m")
    for name, value in attributes.items():
        setattr(node, name, value)
    return node


def why_not(charge, **attributes):
    return traced(make(charge, **attributes)).reason


def run(node, backend, T=5, **options):
    node.backend = backend
    node.reset()
    node.zero_grad()
    x_seq = sequence((2, 3), T, **options).requires_grad_()
    spikes = node(x_seq)
    (spikes * torch.linspace(-1, 1, spikes.numel()).reshape(spikes.shape)).sum().backward()
    learned = [p.grad for p in node.parameters()]
    return [spikes.detach(), node.v.detach(), x_seq.grad, *(g for g in learned if g is not None)]


def assert_runs_as_eager(node, **options):
    assert traced(node).reason is None
    for expected, found in zip(
        run(node, "eager", **options), run(node, "torch", **options), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


# What is refused: the hook's fault is in its last line.


def _random_shape(self, x):
    self.v = self.v + x * torch.rand(1).item()


def _random_data(self, x):
    self.v = self.v + torch.bernoulli(x)


def _random_method(self, x):
    self.v = self.v + x.bernoulli()


def _random_method_in_place(self, x):
    self.v = self.v + x.clone().uniform_()


def _dropout(self, x):
    self.v = self.v + nn.functional.dropout(x)


def _branch(self, x):
    if (x > 0).any():
        self.v = self.v + x


def _branch_elementwise(self, x):
    if x > 0:
        self.v = self.v + x


def _matmul(self, x):
    self.v = self.v + x @ x


def _convolution(self, x):
    self.v = self.v + nn.functional.conv1d(x, x)


def _half(self, x):
    self.v = self.v + x.half()


def _double(self, x):
    self.v = self.v + x.double()


def _assigned(self, x):
    self.total = self.v + x


def _parameter_made(self, x):
    self.w = nn.Parameter(torch.ones(3))


def _history(self, x):
    self.history.append(x)


def _index(self, x):
    self.v[0] = x


def _in_place_method(self, x):
    self.v.add_(x)


def _input_changed(self, x):
    x += self.v


def _attribute_changed(self, x):
    self.v_threshold_tensor += 1.0


def _attribute_filled(self, x):
    self.v_threshold_tensor.fill_(2.0)


def _attribute_data(self, x):
    self.v = self.v + self.v_threshold_tensor.data


def _data_printed(self, x):
    print(x)


def _item(self, x):
    self.v = self.v * float(x)


def _deleted(self, x):
    del self.v


def _unknown(self, x):
    self.v = self.v + self.nothing


def _both_names(self, x):
    self.v.storage()


REFUSED = {
    _random_shape: "draws random numbers",
    _random_data: r"draws random numbers \(torch.bernoulli\)",
    _random_method: r"draws random numbers \(Tensor.bernoulli\)",
    _random_method_in_place: "changes the data in place .Tensor.uniform_",
    _dropout: "draws random numbers",
    _branch: "Tensor.any, which has no elementwise kernel form",
    _branch_elementwise: r"decides by a value of the data .*use torch.where",
    _matmul: "matmul, which has no elementwise kernel form",
    _convolution: "conv1d, which has no elementwise kernel form",
    _half: "casts to torch.float16",
    _double: "casts to torch.float64",
    _assigned: "assigns self.total, which is no memory: declare it with register_memory",
    _parameter_made: "may change what is no memory, by requires_grad_",
    _history: "reads history, a list",
    _index: "assigns to an index of the data",
    _in_place_method: r"changes the data in place \(Tensor.add_\): use add",
    _input_changed: "changes its input in place",
    _attribute_changed: "changes a tensor that is no memory in place",
    _attribute_filled: "may change what is no memory, by fill_",
    _attribute_data: "may change what is no memory, by data",
    _data_printed: "prints the data",
    _item: "takes a number out of the data",
    _deleted: "deletes self.v",
    _unknown: "raises AttributeError: 'Made' object has no attribute 'nothing'",
    _both_names: "uses Tensor.storage",
}

METHODS = ("mean", "cumsum", "reshape", "unsqueeze", "sum", "topk", "view", "expand", "numpy")
METHODS += ("lerp", "rsqrt", "addcmul", "tolist", "norm", "log_softmax", "argmax")


@pytest.mark.parametrize("charge", REFUSED, ids=lambda charge: charge.__name__)
def test_what_no_kernel_can_do_is_named_with_its_line(charge):
    reason = why_not(charge, history=[], v_threshold_tensor=torch.ones(3))
    assert re.search(REFUSED[charge], reason), reason
    lines, first = inspect.getsourcelines(charge)
    place = re.match(rf"{charge.__name__} \((.*):(\d+)\) ", reason)
    assert place, reason
    assert place[1] == __file__
    assert first < int(place[2]) < first + len(lines)


@pytest.mark.parametrize("name", METHODS)
def test_methods_that_are_not_elementwise_are_named(name):
    def charge(self, x):
        self.v = self.v + getattr(x, name)(0)

    assert re.search(name, why_not(charge))


@pytest.mark.parametrize(
    ("function", "instead"),
    [
        (lambda x: torch.addcmul(x, x, x), "write a \\+ b \\* c"),
        (lambda x: torch.addcdiv(x, x, x), "write a \\+ b / c"),
        (lambda x: torch.lerp(x, x, 0.5), "write a \\+ w"),
        (lambda x: torch.rsqrt(x), "write 1 / sqrt"),
        (lambda x: torch.add(x, x, alpha=2), "add with alpha"),
        (lambda x: torch.sub(x, x, alpha=2), "sub with alpha"),
        (lambda x: torch.div(x, x, rounding_mode="floor"), "div with rounding_mode"),
        (lambda x: (x > 0) - (x < 0), "sub on truth values"),
        (lambda x: 1 - (x > 0), "subtracts with a truth value"),
        (lambda x: torch.where(x, x, x), "not a comparison of the data"),
        (lambda x: x**2.5, "raises to the power 2.5"),
        (lambda x: 2.0**x, "power that is not a plain number"),
        (lambda x: torch.relu_(x), "changes the data in place .torch.relu_"),
        (lambda x: nn.functional.relu(x, inplace=True), "changes the data in place"),
        (lambda x: torch.max(x, 0), "extremum over a dimension"),
        (lambda x: x * torch.full((2,), x), "raises TypeError: full"),
        (lambda x: torch.tensor(x), "torch.tensor"),
        (lambda x: torch.where(x > 0, x, BUFFER), "reads BUFFER, a Tensor"),
    ],
)
def test_functions_of_another_rounding_or_meaning_are_refused(function, instead):
    def charge(self, x):
        self.v = self.v + self.function(x)

    assert re.search(instead, why_not(charge, function=function))


def test_errors_of_the_step_become_reasons_and_are_raised_by_the_run():
    node = neuron.BaseNode(step_mode="m")
    reason = traced(node).reason
    assert "neuronal_charge (" in reason
    assert "raises NotImplementedError: BaseNode must define neuronal_charge" in reason
    with pytest.raises(NotImplementedError, match="BaseNode must define neuronal_charge"):
        node(sequence((3,)))

    def charge(self, x):
        raise TypeError(f"{type(self).__name__} takes no {self.v_threshold}")

    with pytest.raises(TypeError, match="Made takes no 1.0"):
        make(charge)(sequence((3,)))
    assert "raises TypeError: Made takes no 1.0" in why_not(charge)


def test_random_numbers_of_python_and_numpy_are_noticed_and_given_back():
    def python(self, x):
        self.v = self.v + x * random.gauss(0.0, 1.0)

    def nump(self, x):
        self.v = self.v + x * float(numpy.random.rand())

    for charge in (python, nump):
        before = random.getstate(), numpy.random.get_state()[1].copy(), torch.get_rng_state()
        assert re.search("draws random numbers|reads numpy.random.rand", why_not(charge))
        assert random.getstate() == before[0]
        assert numpy.array_equal(numpy.random.get_state()[1], before[1])
        assert torch.equal(torch.get_rng_state(), before[2])


def _writes_global(self, x):
    global COUNT
    COUNT = COUNT + 1
    self.v = self.v + x


def _logs(self, x):
    LOG.append(x)
    self.v = self.v + x


def _table(self, x):
    self.v = self.v + x * SCALES["a"]


def _imports(self, x):
    from cases import TOLERANCE

    self.v = self.v + x * len(TOLERANCE)


def _asks_type(self, x):
    if type(self) is neuron.BaseNode:
        self.v = self.v + x


def _function(self, x):
    self.v = self.v + Function.apply(x)


class Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2.0

    @staticmethod
    def backward(ctx, grad):
        return grad * 3.0


@pytest.mark.parametrize(
    ("charge", "message"),
    [
        (_writes_global, "writes the global COUNT"),
        (_logs, "reads LOG, a list"),
        (_table, "reads SCALES, a dict .*make it a number, a tuple of numbers"),
        (_imports, "imports cases inside the step"),
        (_asks_type, "asks for a type: use isinstance"),
        (_function, "applies Function, an autograd.Function"),
    ],
)
def test_what_a_step_reads_or_writes_beyond_self_is_refused(charge, message):
    assert re.search(message, why_not(charge))
    assert COUNT == 0
    assert not LOG


def test_closures_of_what_may_change_are_refused():
    node, table = neuron.IFNode(), [1.0]

    def over_node(self, x):
        self.v = self.v + x * node.v_threshold

    def over_list(self, x):
        self.v = self.v + x * table[0]

    def counting(self, x):
        nonlocal calls
        calls = calls + 1
        self.v = self.v + x

    calls = 0
    assert "reads node, a IFNode" in why_not(over_node)
    assert "reads table, a list" in why_not(over_list)
    assert "writes calls of an outer function" in why_not(counting)
    assert calls == 0


@pytest.mark.parametrize(("name", "value"), [("a list", [1.0]), ("none", None), ("int", 3)])
def test_memories_that_are_no_numbers_run_eagerly(name, value):
    node = neuron.IFNode(step_mode="m")
    node.register_memory("other", value)
    reason = traced(node).reason
    assert (reason is None) == (name == "int")
    node(sequence((3,)))


def test_states_must_end_as_tensors_of_the_data():
    def number(self, x):
        self.v = self.v + x
        self.a = 0.5

    def attribute(self, x):
        self.v = self.v + x
        self.a = self.v_threshold

    def truth(self, x):
        self.v = self.v + x
        self.a = x > 0

    def twice(self, x):
        self.v += x
        self.a = self.v
        self.v += 1.0

    for charge, message in (
        (number, "leaves self.a as a float"),
        (attribute, "leaves self.a as a float"),
        (truth, "leaves self.a as a truth value"),
        (twice, None),
    ):
        node = make(charge)
        node.register_memory("a", 0.0)
        reason = traced(node).reason
        if message is None:
            # The reset makes v anew, so that a keeps what both names meant.
            assert reason is None
            assert_runs_as_eager(node)
        else:
            assert message in reason


def test_a_tensor_kept_under_two_names_and_changed_in_place_is_refused():
    class Aliased(neuron.BaseNode):
        def single_step_forward(self, x):
            self.v += x
            self.a = self.v
            return self.surrogate_function(self.v - self.v_threshold)

    node = Aliased(step_mode="m")
    node.register_memory("a", 0.0)
    assert "changes tensors in place and keeps one under two names" in traced(node).reason

    def detached(self, x):
        old = self.v.detach()
        self.v += x
        self.v = self.v + old

    assert "shares its memory with a detached tensor" in why_not(detached)


# What is traced runs as eager does.


def helper(x, by):
    return x * by if isinstance(by, torch.Tensor) else x * (by + 0.0)


class Base(neuron.BaseNode):
    rate = 0.9

    def neuronal_charge(self, x):
        self.v = self.rate * self.v + x

    @property
    def speed(self):
        return 1 - 1 / self.tau

    @staticmethod
    def half(x):
        return x / 2.0

    @classmethod
    def fraction(cls, x):
        return x * cls.rate


class Derived(Base):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.tau, self.n, self.mode, self.pair = 2.7, 3, "fast", (0.5, 0.25)
        self.w = nn.Parameter(torch.tensor([0.2, -0.1, 0.4]))

    def neuronal_charge(self, x):
        super().neuronal_charge(self.fraction(x))
        for _ in range(self.n):
            self.v = self.v * self.speed
        x = helper(x, self.w) + helper(self.half(x), self.tau)
        if self.mode == "fast" and self.v_reset == 0.0 and self.tau > 1:
            x = x * torch.sigmoid(self.w) + self.pair[1] * math.exp(-1 / self.tau)
        if isinstance(self, Base) and isinstance(self.v, torch.Tensor):
            x = x * SCALE
        if hasattr(self, "missing") or isinstance(self.v, float):
            x = x * 100.0
        self.v = self.v + x + torch.tensor(0.1) + self.__class__.rate


def test_everything_a_subclass_does_in_plain_python_is_followed():
    assert_runs_as_eager(Derived(step_mode="m"))
    assert_runs_as_eager(Derived(step_mode="m", v_reset=None))


def test_what_needs_no_data_is_left_to_python_and_torch():
    """1 - 1 / tau in double, sigmoid(w) by autograd: one leaf each."""
    node = Derived(step_mode="m")
    found = traced(node)
    values = [uniform.evaluate(node) for uniform, _ in found.trace.parameters]
    assert 1 - 1 / node.tau in values
    assert any(isinstance(v, torch.Tensor) and v.grad_fn is not None for v in values)
    ops = {line.op for line in found.program((), None).forward.lines}
    assert "sigmoid" not in ops


@pytest.mark.parametrize(("name", "build", "n"), FOREIGN, ids=shown)
@pytest.mark.parametrize("backend", ["torch", "cpp"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_neuron_in_a_users_file_runs_as_its_lines_do(name, build, n, backend, dtype):
    results = []
    for chosen in ("eager", backend):
        node = build(step_mode="m", backend=chosen)
        if chosen == "cpp" and kernels.why_not(neuron.IFNode(), "cpp"):
            pytest.skip("no compiler")
        x_seqs = [sequence((2, 4, 5), seed=i, dtype=dtype).requires_grad_() for i in range(n)]
        spikes = node(*x_seqs)
        weights = torch.linspace(-1, 1, spikes.numel(), dtype=dtype).reshape(spikes.shape)
        ((spikes * weights).sum() + node.v.sum()).backward()
        assert 0.0 < spikes.mean() < 1.0
        states = [state.detach() for state in node.memories()]
        grads = [p.grad for p in (*x_seqs, *node.parameters())]
        results.append((spikes.detach(), states, grads))
    (spikes, states, grads), (found, found_states, found_grads) = results
    assert torch.equal(spikes, found)
    tolerance = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(found_states, states, **tolerance)
    torch.testing.assert_close(found_grads, grads, **tolerance)


def test_legacy_helpers_are_followed():
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

    assert_runs_as_eager(Legacy(step_mode="m"))
    assert_runs_as_eager(Legacy(step_mode="m", v_reset=None))


def test_lines_under_no_grad_pass_no_gradient():
    def charge(self, x):
        with torch.no_grad():
            drift = 0.3 * self.v * self.w.exp()
            gain = self.w.sigmoid()
        self.v = self.v * self.w - drift + x * gain

    node = make(charge, w=nn.Parameter(torch.tensor(0.8)))
    assert_runs_as_eager(node)
    free = make(charge, w=nn.Parameter(torch.tensor(0.8)))
    with torch.no_grad():  # the mode of the first call is not the step's
        assert traced(free).reason is None
    assert_runs_as_eager(free)


class Clipped(surrogate.Surrogate):
    def derivative(self, u):
        return 1.0 / (1.0 + u * u)

    def gradient(self, u, grad):
        return (grad * self.derivative(u)).clamp(-10.0, 10.0)


class Detour(surrogate.ATan):
    def forward(self, u):
        return super().forward(u) * 1.0


class Constant(surrogate.Surrogate):
    def derivative(self, u):
        return u.abs() < 0.5


def test_surrogates_that_are_more_than_a_derivative_are_refused():
    def reason(function):
        return traced(neuron.IFNode(surrogate_function=function)).reason

    assert "gradient that is not linear" in reason(Clipped())
    assert "Detour, which has a forward of its own" in reason(Detour())
    assert "has no derivative" in reason(nn.Sigmoid())
    assert "has no derivative" in reason(Function.apply)
    hooked = surrogate.ATan()
    hooked.register_forward_hook(lambda module, inputs, output: output * 2.0)
    assert "hooks registered on it" in reason(hooked)
    assert reason(Constant()) is None
    assert_runs_as_eager(neuron.IFNode(surrogate_function=Constant(), step_mode="m"))


def test_a_method_on_the_instance_is_followed():
    node = neuron.IFNode(step_mode="m")

    def charge(self, x):
        self.v = self.v + 0.3 * x

    node.neuronal_charge = types.MethodType(charge, node)
    before = node.v
    assert_runs_as_eager(node)
    node.reset()
    assert node.v == before

    other = neuron.IFNode(step_mode="m")
    other.neuronal_charge = lambda x: setattr(other, "v", other.v + x)
    assert "reads other, a IFNode" in traced(other).reason


def test_a_generator_or_module_of_the_node_is_refused():
    def conv(self, x):
        self.v = self.v + self.conv(x)

    def draw(self, x):
        self.v = self.v + x * self.generator.initial_seed()

    assert "uses the module conv (Linear)" in why_not(conv, conv=nn.Linear(3, 3))
    assert "reads generator, a Generator" in why_not(draw, generator=torch.Generator())


def test_a_method_of_data_is_not_taken_for_one_of_the_bases():
    """``spike.detach()`` beside ``super()`` is no ``super().detach()``."""

    class Refractory(neuron.BaseNode):
        def neuronal_charge(self, x):
            self.v = self.v + x

        def neuronal_reset(self, spike):
            super().neuronal_reset(spike)
            self.v = self.v - 0.5 * spike.detach()

    assert kernels.why_not(Refractory(), "torch") is None


def test_another_threads_random_numbers_are_not_the_steps():
    """They move the generators while a step is traced, which is then traced again."""
    node = make(lambda self, x: setattr(self, "v", self.v + x))
    drawing, done = threading.Event(), threading.Event()

    def draw():
        while not done.is_set():
            random.random()
            drawing.set()
            time.sleep(0.1)

    thread = threading.Thread(target=draw)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        drawing.wait()
        reasons = {traced(copy.deepcopy(node)).reason for _ in range(100)}
    finally:
        sys.setswitchinterval(interval)
        done.set()
        thread.join()
    assert reasons == {None}

"""Steps that hear their states through linear maps: the loop of single steps and the lines."""

from dataclasses import replace

import pytest
import torch
from cases import TOLERANCE, sequence
from reference import relative_error
from spikeframe.kernels.backend import BACKENDS, fused_backend
from torch import nn
from torch.nn import functional as F

from spikeframe import functional, kernels, memory, neuron, rnn, surrogate


class Potential(neuron.BaseNode):
    """Hears its potentials, each times what it hears: the backward reads both."""

    def __init__(self, **options):
        super().__init__(**options)
        self.map = nn.Linear(5, 5)

    def neuronal_charge(self, x):
        heard = self.map(self.v)
        self.v = 0.5 * self.v + x + heard * heard * x


class Two(neuron.BaseNode):
    """Hears two states through two maps each, and puts both through one of them."""

    def __init__(self, **options):
        super().__init__(**options)
        self.near, self.far = nn.Linear(5, 5, bias=False), nn.Linear(5, 5)
        self.register_memory("slow", 0.25)

    def neuronal_charge(self, x):
        self.v = 0.5 * self.v + x + self.near(self.v) - self.far(self.v) * self.near(self.slow)
        self.slow = 0.9 * self.slow + 0.1 * x


class Pair(neuron.BaseNode):
    """Takes two inputs."""

    def __init__(self, **options):
        super().__init__(**options)
        self.map = nn.Linear(5, 5)

    def neuronal_charge(self, x, gate):
        self.v = self.v * gate + x + self.map(self.v)


class Blind(neuron.BaseNode):
    """Learns nothing through its map."""

    def __init__(self, **options):
        super().__init__(**options)
        self.map = nn.Linear(5, 5)

    def neuronal_charge(self, x):
        with torch.no_grad():
            heard = self.map(self.v)
        self.v = 0.5 * self.v + x + heard


def recurrent(make, kind=rnn.RecurrentLIFNode, **fixed):
    return lambda **options: kind(make(), **fixed, **options)


SOFT = {"v_reset": None, "tau": 3.0}
RECT = {"v_reset": None, "surrogate_function": surrogate.Rect()}
RATE = {"learn_rate": True}

# How to make a node, and the shape of its steps.
NODES = {
    "dense": (recurrent(lambda: nn.Linear(5, 5)), (3, 5)),
    "dense, without bias": (recurrent(lambda: nn.Linear(5, 5, bias=False), **SOFT), (3, 5)),
    "dense, unbatched": (recurrent(lambda: nn.Linear(7, 7)), (7,)),
    "dense, of positions": (recurrent(lambda: nn.Linear(5, 5), detach_reset=True), (2, 3, 5)),
    "dense, bits": (recurrent(lambda: nn.Linear(67, 67), rnn.RecurrentIFNode, **RECT), (3, 67)),
    "wide": (recurrent(lambda: nn.Linear(401, 401), tau=4.0), (3, 401)),
    "frozen": (recurrent(lambda: nn.Linear(5, 5).requires_grad_(False)), (3, 5)),
    "no bias learned": (recurrent(lambda: _frozen_bias(nn.Linear(5, 5))), (3, 5)),
    "parametric": (recurrent(lambda: nn.Linear(5, 5), rnn.RecurrentParametricLIFNode), (3, 5)),
    "tau per neuron": (
        recurrent(lambda: nn.Linear(5, 5), tau=nn.Parameter(torch.linspace(1.5, 4, 5))),
        (3, 5),
    ),
    "convolution": (recurrent(lambda: nn.Conv2d(2, 2, 3, padding=1)), (3, 2, 4, 5)),
    "in groups": (recurrent(lambda: nn.Conv2d(4, 4, 3, 1, 2, 2, 2, bias=False)), (3, 4, 4, 5)),
    "in 1-d": (recurrent(lambda: nn.Conv1d(2, 2, 5, padding=2)), (3, 2, 7)),
    "in 3-d": (recurrent(lambda: nn.Conv3d(2, 2, (3, 1, 1), padding=(1, 0, 0))), (2, 2, 3, 2, 2)),
    "RLeaky": (lambda **o: neuron.RLeaky(0.8, linear_features=5, learn_beta=True, **o), (3, 5)),
    "RLeaky, zero": (
        lambda **o: neuron.RLeaky(0.8, linear_features=5, reset_mechanism="zero", **o),
        (3, 5),
    ),
    "RLeaky, convolution": (
        lambda **o: neuron.RLeaky(
            0.8, conv2d_channels=2, kernel_size=3, graded_spikes_factor=2.0, **o
        ),
        (3, 2, 4, 4),
    ),
    "RSynaptic": (lambda **o: neuron.RSynaptic(0.3, 0.8, linear_features=5, **o), (3, 5)),
    "potential": (Potential, (3, 5)),
    "two": (Two, (3, 5)),
    "blind": (Blind, (3, 5)),
}


def _frozen_bias(module):
    module.bias.requires_grad_(False)
    return module


@pytest.fixture
def stepping(engine, monkeypatch):
    """The name of a backend whose engine runs the steps, be it slower or not."""
    row = BACKENDS[engine]
    able = replace(row.engine, runs_steps=True)
    monkeypatch.setitem(BACKENDS, engine, fused_backend(engine, able))
    return engine


def run(make, x_seqs, backend, save="auto", dtype=torch.float32, start=True, **options):
    """Spikes and last states, and gradients of inputs, first states and parameters."""
    torch.manual_seed(0)
    node = make(step_mode="m", backend=backend, **options).to(dtype)
    node.save = save
    x_seqs = [x_seq.detach().requires_grad_() for x_seq in x_seqs]
    states = []
    for i, (name, _) in enumerate(list(node.named_memories())) if start else ():
        state = sequence(x_seqs[0].shape[1:], 1, seed=7 + i, dtype=dtype)[0].requires_grad_()
        node.load_memory(name, state)
        states.append(state)
    values = [node(*x_seqs), *node.memories(), *node.state_seqs.values()]
    weights = [torch.rand(v.shape, generator=torch.Generator().manual_seed(3)) for v in values]
    learned = [p for p in node.parameters() if p.requires_grad]
    weights = [w.to(v.dtype) for w, v in zip(weights, values, strict=True)]
    grads = torch.autograd.grad(values, [*x_seqs, *states, *learned], weights, allow_unused=True)
    return [v.detach() for v in values], grads


def assert_alike(found, expected, dtype=torch.float32):
    for a, b in zip(found[0], expected[0], strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    for a, b in zip(found[1], expected[1], strict=True):
        if b is None:
            assert a is None or not a.any()
            continue
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert b.abs().max() > 0
        assert relative_error(a, b) <= TOLERANCE[dtype]


@pytest.mark.parametrize("T", [1, 9])
@pytest.mark.parametrize("name", NODES)
def test_a_loop_of_steps_gives_what_the_lines_give(stepping, name, T):
    make, size = NODES[name]
    x_seqs = [2 * sequence(size, T)]
    found = run(make, x_seqs, stepping)
    assert_alike(found, run(make, x_seqs, "eager"))
    assert T == 1 or 0 < found[0][0].count_nonzero() < found[0][0].numel()


@pytest.mark.parametrize("name", ["dense", "convolution", "RSynaptic", "two"])
def test_it_is_exact_in_double_precision(name):
    make, size = NODES[name]
    x_seqs = [2 * sequence(size, 9, dtype=torch.float64)]
    found, expected = (run(make, x_seqs, b, dtype=torch.float64) for b in ("cpp", "eager"))
    assert_alike(found, expected, torch.float64)


@pytest.mark.parametrize("start", [True, False])
def test_two_inputs_and_the_first_state(stepping, start):
    x_seqs = [2 * sequence((3, 5), 9), sequence((3, 5), 9, seed=1)]
    found, expected = (run(Pair, x_seqs, b, start=start) for b in (stepping, "eager"))
    assert_alike(found, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_small_inputs_are_heard_in_full_precision(dtype):
    make, size = NODES["dense"]
    nodes = [_same(make, b) for b in ("cpp", "eager")]
    x_seqs = [(2 * sequence(size, 9)).to(dtype).requires_grad_() for _ in nodes]
    spikes = [node(x_seq) for node, x_seq in zip(nodes, x_seqs, strict=True)]
    assert spikes[0].dtype == dtype
    assert torch.equal(*spikes)
    assert nodes[0].v.dtype == torch.float32
    for each in spikes:
        each.sum().backward()
    assert relative_error(x_seqs[0].grad, x_seqs[1].grad) <= TOLERANCE[dtype]
    grads = [node.recurrent.weight.grad for node in nodes]
    assert relative_error(*grads) <= TOLERANCE[torch.float32]


def _same(make, backend, **options):
    torch.manual_seed(0)
    return make(step_mode="m", backend=backend, **options)


LAYOUTS = {
    "transposed": lambda x: x.transpose(1, -1).contiguous().transpose(1, -1),
    "every second": lambda x: x.repeat_interleave(2, -1)[..., ::2],
    "expanded": lambda x: x[:1].expand(x.shape),
    "channels last": lambda x: x.movedim(2, -1).contiguous().movedim(-1, 2),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["dense, of positions", "convolution"])
def test_inputs_may_lie_anyhow(stepping, name, layout):
    make, size = NODES[name]
    x_seqs = [LAYOUTS[layout](2 * sequence(size, 5))]
    assert_alike(run(make, x_seqs, stepping), run(make, x_seqs, "eager"))


@pytest.mark.parametrize("T", [9, 70])
@pytest.mark.parametrize("name", ["dense", "RSynaptic", "potential"])
def test_the_input_may_be_all_that_is_saved(name, T):
    make, size = NODES[name]
    x_seqs = [sequence(size, T)]
    found = run(make, x_seqs, "cpp", save="input", store_state_seqs=True)
    assert_alike(found, run(make, x_seqs, "eager", store_state_seqs=True))


def test_an_empty_batch():
    node = _same(NODES["dense"][0], "cpp")
    x_seq = torch.zeros(4, 0, 5, requires_grad=True)
    node(x_seq).sum().backward()
    assert x_seq.grad.shape == x_seq.shape
    assert not node.recurrent.weight.grad.any()


@pytest.mark.parametrize("name", ["dense", "convolution", "RLeaky"])
def test_states_carry_over_and_history_too(name):
    make, size = NODES[name]
    x_seq = 2 * sequence(size, 9)
    nodes = [_same(make, b) for b in ("cpp", "cpp", "eager")]
    given = [x_seq.clone().requires_grad_() for _ in nodes]
    spikes = [
        node(x) if i == 0 else torch.cat([node(x[:4]), node(x[4:])])
        for i, (node, x) in enumerate(zip(nodes, given, strict=True))
    ]
    for each in spikes:
        (each * torch.linspace(-1, 1, each.numel()).reshape(each.shape)).sum().backward()
    for other, x in zip(spikes[1:], given[1:], strict=True):
        assert torch.equal(spikes[0], other)
        assert relative_error(given[0].grad, x.grad) <= TOLERANCE[torch.float32]


def test_nothing_is_saved_without_a_gradient():
    saved = []
    node = _same(NODES["dense"][0], "cpp")
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda t: t):
        with torch.no_grad():
            spikes = node(2 * sequence((3, 5), 9))
        assert saved == []
        functional.reset_net(node)
        assert torch.equal(node(2 * sequence((3, 5), 9)), spikes)
    values = [t.shape for t in saved if t.dim() == 3]
    assert values == [(9, 3, 5)] * 2, "distances from the threshold, and spikes heard"


def test_hooks_may_give_what_was_saved_in_another_order():
    x_seq, grads = 2 * sequence((3, 5), 9), []
    for unpack in (lambda t: t, lambda t: t.transpose(0, -1).contiguous().transpose(0, -1)):
        node = _same(NODES["potential"][0], "cpp")
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t, unpack):
            spikes = node(x_seq)
        (spikes * torch.linspace(-1, 1, spikes.numel()).reshape(spikes.shape)).sum().backward()
        grads.append(node.map.weight.grad)
    assert relative_error(*grads) <= TOLERANCE[torch.float32]


def test_spikes_may_be_changed_in_place():
    """What the map heard is kept apart, as it is by the lines."""
    nodes = [_same(NODES["dense"][0], b) for b in ("cpp", "eager")]
    for node in nodes:
        node(2 * sequence((3, 5), 9)).mul_(3.0).sum().backward()
    grads = [node.recurrent.weight.grad for node in nodes]
    assert relative_error(*grads) <= TOLERANCE[torch.float32]


def test_a_weight_changed_before_the_backward_is_told():
    node = _same(NODES["dense"][0], "cpp")
    loss = node(2 * sequence((3, 5), 9)).sum()
    with torch.no_grad():
        node.recurrent.weight.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_second_derivative_names_the_remedy():
    x_seq = (2 * sequence((3, 5), 9)).requires_grad_()
    node = _same(NODES["dense"][0], "cpp")
    with pytest.raises(RuntimeError, match="backend='eager'"):
        torch.autograd.grad(node(x_seq).sum(), x_seq, create_graph=True)


def test_a_checkpoint_runs_it_again():
    nodes = [_same(NODES["dense"][0], "cpp") for _ in range(2)]
    x_seqs = [(2 * sequence((3, 5), 9)).requires_grad_() for _ in nodes]
    nodes[0](x_seqs[0]).sum().backward()
    memory.checkpoint(nodes[1], x_seqs[1]).sum().backward()
    assert torch.equal(x_seqs[0].grad, x_seqs[1].grad)


def test_one_backward_may_follow_another():
    node = _same(NODES["dense"][0], "cpp")
    x_seq = (2 * sequence((3, 5), 9)).requires_grad_()
    spikes = node(x_seq)
    first, second = (torch.autograd.grad(spikes.sum(), x_seq, retain_graph=True) for _ in "ab")
    assert torch.equal(first[0], second[0])


def test_what_the_map_is_set_to_is_read_at_each_call():
    node = recurrent(lambda: nn.Conv2d(2, 2, 3, padding=1))(step_mode="m", backend="cpp")
    x_seq, conv = 2 * sequence((3, 2, 4, 4), 9), node.recurrent
    node(x_seq)
    conv.weight = nn.Parameter(torch.randn(2, 2, 5, 5))
    conv.kernel_size, conv.padding = (5, 5), (2, 2)
    functional.reset_net(node)
    found = node(x_seq)
    functional.reset_net(node)
    node.backend = "eager"
    assert torch.equal(found, node(x_seq))


class Own(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def _hooked(module):
    module.register_forward_hook(lambda module, inputs, output: 2 * output)
    return module


def _patched(module):
    module.forward = lambda x: 2 * F.linear(x, module.weight)
    return module


REASONS = {
    "hook": (lambda: _hooked(nn.Linear(5, 5)), r"\(Linear\), with hooks registered on it"),
    "forward": (lambda: _patched(nn.Linear(5, 5)), r"\(Linear\), with a forward of its own"),
    "subclass": (lambda: Own(5, 5), r"\(Own\), which is none of torch's own nn.Linear"),
    "parametrised": (
        lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(5, 5)),
        r"\(ParametrizedLinear\), which is none",
    ),
    "several": (lambda: nn.Sequential(nn.Linear(5, 5)), r"\(Sequential\), which is none"),
    "double": (lambda: nn.Linear(5, 5).double(), "casts to torch.float64"),
}


@pytest.mark.parametrize("name", REASONS)
def test_another_module_runs_by_the_lines(name):
    make, reason = REASONS[name]
    torch.manual_seed(0)
    node = rnn.RecurrentLIFNode(make(), step_mode="m")
    assert kernels.why_not(node, "cpp") is not None
    with pytest.raises(RuntimeError, match=reason):
        _named(node, "cpp")(torch.ones(4, 3, 5))
    x_seq = 2 * sequence((3, 5), 9)
    assert torch.equal(_named(node, "auto")(x_seq), _named(node, "eager")(x_seq))


def _named(node, backend):
    functional.reset_net(node)
    node.backend = backend
    return node


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"padding_mode": "circular", "padding": 1}, "padding_mode='circular'"),
        ({"padding": "same"}, "padding='same'"),
    ],
)
def test_other_paddings_run_by_the_lines(options, reason):
    node = rnn.RecurrentIFNode(nn.Conv2d(2, 2, 3, **options), step_mode="m")
    assert reason in kernels.why_not(node, "cpp")
    assert node(sequence((3, 2, 4, 4), 3)).shape == (3, 3, 2, 4, 4)


def test_a_hook_added_later_is_seen_and_one_that_checks_is_not():
    net = nn.Sequential(recurrent(lambda: nn.Linear(5, 5))())
    functional.set_step_mode(net, "m")
    node, x_seq = net[0], 2 * sequence((3, 5), 9)
    assert kernels.why_not(node, "cpp") is None
    assert len(node.recurrent._forward_pre_hooks) == 1
    seen = []
    node.recurrent.register_forward_hook(lambda *call: seen.append(call))
    assert "hooks" in kernels.why_not(node, "cpp")
    net(x_seq)
    assert len(seen) == 9


def test_a_hook_on_all_modules_is_seen():
    node, seen = _same(NODES["dense"][0], "auto"), []
    node(torch.ones(3, 3, 5))
    functional.reset_net(node)
    with nn.modules.module.register_module_forward_hook(lambda *call: seen.append(call[0])):
        node(torch.ones(3, 3, 5))
    assert seen.count(node.recurrent) == 3


def test_autocast_follows_the_lines():
    make, size = NODES["dense"]
    nodes = [_same(make, b) for b in ("auto", "eager")]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(*(node(2 * sequence(size, 9)) for node in nodes))
        nodes[0].backend = "cpp"
        functional.reset_net(nodes[0])
        with pytest.raises(RuntimeError, match="autocast is on"):
            nodes[0](2 * sequence(size, 9))


@pytest.mark.parametrize(
    ("make", "size", "text"),
    [
        (lambda: nn.Linear(4, 1), (2, 4), r"its feedback makes \[2, 1\] of spikes \[2, 4\]"),
        (lambda: nn.Linear(5, 5), (2, 4), "shapes cannot be multiplied"),
        (lambda: nn.Conv2d(2, 2, 3), (2, 2, 5, 5), r"makes \[2, 2, 3, 3\] of spikes"),
        (lambda: nn.Conv2d(2, 2, 3, 2, 1), (2, 2, 5, 5), r"makes \[2, 2, 3, 3\] of spikes"),
        (lambda: nn.Conv2d(2, 1, 3, padding=1), (2, 2, 5, 5), r"makes \[2, 1, 5, 5\] of spikes"),
    ],
)
def test_a_map_to_another_shape_is_refused_by_the_lines(make, size, text):
    node = rnn.RecurrentIFNode(make(), step_mode="m")
    with pytest.raises((ValueError, RuntimeError), match=text):
        node(torch.ones(3, *size))
    node.backend = "cpp"
    with pytest.raises(RuntimeError, match="of spikes|does not take states"):
        node(torch.ones(3, *size))
    assert node.spk == 0.0


def test_an_unbatched_convolution_runs_by_the_lines():
    node = rnn.RecurrentIFNode(nn.Conv2d(2, 2, 3, padding=1), step_mode="m")
    assert node(torch.ones(3, 2, 4, 4)).shape == (3, 2, 4, 4)


def test_torch_leaves_it_to_the_lines():
    node = _same(NODES["dense"][0], "torch")
    reason = "hears spk through recurrent, step by step"
    assert reason in kernels.why_not(node, "torch")
    with pytest.raises(RuntimeError, match=reason):
        node(torch.ones(3, 3, 5))


def test_single_steps_stay_the_lines_unless_a_backend_is_named():
    make, size = NODES["dense"]
    nodes = [_same(make, b) for b in ("auto", "cpp", "eager")]
    for node in nodes:
        node.step_mode = "s"
    for x in 2 * sequence(size, 40):
        first, second, third = (node(x) for node in nodes)
        assert torch.equal(first, third)
        assert torch.equal(second, third)
    assert not kernels.replayed(nodes[0], [torch.ones(1, 3, 5)])


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_a_graph_holds_the_lines():
    torch._dynamo.reset()
    nodes = [_same(NODES["dense"][0], b) for b in ("auto", "cpp")]
    x_seq = 2 * sequence((3, 5), 4)
    compiled = torch.compile(nodes[0], backend="eager", fullgraph=True)
    with torch.no_grad():
        assert torch.equal(compiled(x_seq), nodes[1](x_seq))
    functional.reset_net(nodes[1])
    with pytest.raises(Exception, match="through a linear map"):
        torch.compile(nodes[1], backend="eager", fullgraph=True)(x_seq)


def test_the_bytes_it_saves_are_told():
    node = recurrent(lambda: nn.Linear(5, 5))(step_mode="m")
    line = kernels.explain(nn.Sequential(node)).splitlines()[1].split()
    assert line[2:5] == ["auto", "cpp", "8"]


def test_what_sees_no_memory_is_refused_by_name():
    class Late(neuron.BaseNode):
        def __init__(self):
            super().__init__()
            self.map = nn.Linear(5, 5)

        def neuronal_charge(self, x):
            self.v = self.v + x
            self.v = self.map(self.v)

    assert "uses the module map (Linear) on what is no memory" in kernels.why_not(Late(), "cpp")

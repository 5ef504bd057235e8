"""Nodes under torch.compile, torch.export, fake tensors: one operator, and never a stale one."""

import copy
import io
import types
from contextlib import nullcontext

import pytest
import torch
from cases import NEURONS, sequence
from foreign_neurons import FOREIGN, Refractory
from naming import shown
from reference import relative_error
from spikeframe.kernels import plan
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils.flop_counter import FlopCounterMode

from spikeframe import functional, layer, neuron, surrogate

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*autograd.*should not be instantiated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*were assigned during export:UserWarning"),
    pytest.mark.filterwarnings("ignore:While compiling, we found certain side:UserWarning"),
]

DECAY = 0.9


class Global(neuron.BaseNode):
    """Reads a global name."""

    def neuronal_charge(self, x):
        self.v = DECAY * self.v + x


@pytest.fixture(autouse=True)
def fresh():
    """Graphs of one test are not those of another."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def make_net():
    net = nn.Sequential(
        layer.Linear(6, 5),
        neuron.LIFNode(surrogate_function=surrogate.ATan(), v_reset=None),
        layer.Linear(5, 4),
        neuron.ParametricLIFNode(surrogate_function=surrogate.ATan(), detach_reset=True),
    )
    functional.set_step_mode(net, "m")
    return net


def compiled(net, **options):
    counter = CompileCounterWithBackend("aot_eager")
    return torch.compile(net, fullgraph=True, backend=counter, **options), counter


def operators(graph_module):
    """The calls of the operator in a graph."""
    return [
        node
        for module in graph_module.modules()
        if isinstance(module, torch.fx.GraphModule)
        for node in module.graph.nodes
        if "spikeframe.multi_step" in str(node.target)
    ]


def train(run, net, *x_seqs):
    """Outputs, states and gradients of a call."""
    given = [x.detach().clone().requires_grad_() for x in x_seqs]
    output = run(*given)
    weights = torch.linspace(-1, 1, output.numel()).reshape(output.shape)
    loss = (output * weights).sum()
    grads = torch.autograd.grad(loss, [*given, *net.parameters()], allow_unused=True)
    states = [v for m in net.modules() if hasattr(m, "memories") for v in m.memories()]
    return [output, *states], grads


def agree(net, plain, run, *x_seqs):
    """One training call of a compiled net and of a plain one."""
    found, grads = train(run, net, *x_seqs)
    expected, wanted = train(plain, plain, *x_seqs)
    assert all(map(torch.equal, found, expected))
    for a, b in zip(grads, wanted, strict=True):
        assert (a is None) == (b is None)
        assert a is None or near(a, b)


def near(a, b):
    """Whether gradients agree; where the plain one is no number the other is none either."""
    return (
        torch.equal(a.isnan(), b.isnan()) and relative_error(a.nan_to_num(), b.nan_to_num()) < 1e-6
    )


ROWS = [(str(case), case, 1, (3, 5)) for case in NEURONS]
ROWS += [(name, build, n, (2, 4, 3)) for name, build, n in FOREIGN]


@pytest.mark.parametrize(("name", "build", "n", "shape"), ROWS, ids=shown)
def test_a_node_compiles_to_one_operator(name, build, n, shape):
    node = build(step_mode="m")
    plain = copy.deepcopy(node)
    run, counter = compiled(node)
    x_seqs = [sequence(shape, 5, seed=i) for i in range(n)]
    agree(node, plain, run, *x_seqs)
    functional.detach_net(node)
    functional.detach_net(plain)
    agree(node, plain, run, *x_seqs)  # goes on from the state
    assert [len(operators(graph)) for graph in counter.graphs] == [1, 1]


@pytest.mark.parametrize("dynamic", [None, True], ids=["static", "dynamic"])
def test_the_number_of_graphs(dynamic):
    net = make_net()
    plain = copy.deepcopy(net)
    run, counter = compiled(net, dynamic=dynamic)
    counts = []

    def check(T, N, mode="train", after="reset"):
        x_seq = sequence((N, 6), T, seed=T + N)
        if mode == "train":
            agree(net, plain, run, x_seq)
        else:
            with torch.no_grad():
                assert torch.equal(run(x_seq), plain(x_seq))
        for each in (net, plain):
            (functional.reset_net if after == "reset" else functional.detach_net)(each)
        # With dynamic=True torch tries the reset value as a variable first, in a graph it drops.
        found = [len(operators(graph)) for graph in counter.graphs]
        assert set(found) <= {0, 2}
        counts.append(found.count(2))

    check(4, 3)
    check(4, 3, after="detach")  # again: the same graph
    check(4, 3)  # from a carried state
    check(4, 3, "no grad", after="detach")
    check(4, 3, "no grad")
    check(4, 5)  # another batch size
    check(4, 7)
    check(9, 2)  # another number of steps
    check(6, 4)
    assert counts == ([1, 1, 2, 3, 4, 4, 4, 4, 4] if dynamic else [1, 1, 2, 3, 4, 5, 5, 6, 6])


def change_method(node):
    node.neuronal_charge = types.MethodType(
        lambda self, x: setattr(self, "v", self.v + 2.0 * x), node
    )


# What need not change a bit of the result.
UNSEEN = ("backend", "engine", "save", "store_v_seq")
# From the last on, outputs are those of a sigmoid or so, whose last bit differs.
INEXACT = ("primitive",)

CHANGES = {
    "strict": lambda node: setattr(node.surrogate_function, "strict", True),
    "v_threshold": lambda node: setattr(node, "v_threshold", 0.7),
    "tau": lambda node: setattr(node, "tau", 3.3),
    "tau per channel": lambda node: setattr(node, "tau", torch.tensor([1.5, 2.0, 3.0, 5.0])),
    "v_reset": lambda node: setattr(node, "v_reset", None),
    "detach_reset": lambda node: setattr(node, "detach_reset", True),
    "decay_input": lambda node: setattr(node, "decay_input", False),
    "method": change_method,
    "backend": lambda node: setattr(node, "backend", "eager"),
    "engine": lambda node: setattr(node, "backend", "torch"),
    "alpha": lambda node: setattr(node.surrogate_function, "alpha", 0.7),
    "surrogate": lambda node: setattr(node, "surrogate_function", surrogate.SoftSign()),
    "save": lambda node: setattr(node, "save", "input"),
    "store_v_seq": lambda node: setattr(node, "store_v_seq", True),
    "primitive": lambda node: node.surrogate_function.set_spiking_mode(False),
}


def test_changes_are_seen():
    node = neuron.LIFNode(surrogate_function=surrogate.ATan(), step_mode="m")
    plain = copy.deepcopy(node)
    x_seq = torch.cat([torch.full((2, 3, 4), 2.0), sequence((3, 4), 5)])  # at the threshold first
    with torch._dynamo.config.patch(recompile_limit=50):
        run, counter = compiled(node)
        before = train(run, node, x_seq)
        for name, change in CHANGES.items():
            count = counter.frame_count
            for each in (node, plain):
                each.reset()
                change(each)
            found, grads = train(run, node, x_seq)
            expected, wanted = train(plain, plain, x_seq)
            exact = name not in INEXACT
            assert all(map(torch.equal if exact else near, found, expected)), name
            assert all(map(near, grads, wanted)), name
            assert counter.frame_count > count, name
            same = all(map(torch.equal, (*found, *grads), (*before[0], *before[1])))
            assert name in UNSEEN or not same, name
            before = found, grads
            if node.store_v_seq:
                assert torch.equal(node.v_seq, plain.v_seq)


def half(self, value):
    self.v = self.v + value / 2.0


@pytest.mark.parametrize(
    ("build", "owner", "name", "value"),
    [
        (
            neuron.IFNode,
            neuron.IFNode,
            "neuronal_charge",
            lambda s, x: setattr(s, "v", s.v + x / 2),
        ),
        (
            neuron.IFNode,
            neuron.BaseNode,
            "neuronal_reset",
            lambda s, z: setattr(s, "v", s.v - z / 2),
        ),
        (neuron.IFNode, surrogate.Sigmoid, "derivative", lambda s, u: torch.relu(1 - u.abs())),
        (neuron.ParametricLIFNode, neuron.ParametricLIFNode, "tau", property(lambda s: 2.0)),
        (Global, __name__, "DECAY", 0.5),
    ],
    ids=["method", "method of a base", "derivative", "property", "global"],
)
def test_a_change_of_the_code_is_seen(monkeypatch, build, owner, name, value):
    node = build(step_mode="m")
    plain = copy.deepcopy(node)
    run, _ = compiled(node)
    x_seq = sequence((3, 4))
    agree(node, plain, run, x_seq)
    for each in (node, plain):
        each.reset()
    if owner == __name__:
        monkeypatch.setitem(globals(), name, value)
    else:
        monkeypatch.setattr(owner, name, value)
    agree(node, plain, run, x_seq)


@pytest.mark.parametrize("path", ["surrogate_function.alpha", "tau", "v_threshold"])
def test_numbers_that_keep_changing_cost_one_more_graph(path):
    node = neuron.LIFNode(step_mode="m")
    plain = copy.deepcopy(node)
    run, counter = compiled(node)
    *owners, name = path.split(".")
    for i in range(6):
        for each in (node, plain):
            each.reset()
            setattr(each.surrogate_function if owners else each, name, 1.1 + 0.37 * i)
        agree(node, plain, run, sequence((3, 4), seed=i))
    assert counter.frame_count == 2


def test_a_change_inside_of_the_graph_is_seen():
    node = neuron.LIFNode(step_mode="m")

    def run(x_seq, detach, threshold, function):
        node.detach_reset, node.v_threshold = detach, threshold
        if function:
            node.surrogate_function = surrogate.ATan()
        return node(x_seq)

    captured = torch.compile(run, fullgraph=True, backend="aot_eager")
    x_seq = sequence((3, 4))
    for change in (
        (False, 1.0, False),
        (True, 1.0, False),
        (False, 0.6, False),
        (False, 0.6, True),
    ):
        grads = []
        for each in (captured, run):
            node.reset()
            node.detach_reset, node.v_threshold = False, 1.0
            node.surrogate_function = surrogate.Sigmoid()
            x = x_seq.clone().requires_grad_()
            spikes = each(x, *change)
            grads.append((spikes, torch.autograd.grad(spikes.sum(), x)[0]))
        assert torch.equal(grads[0][0], grads[1][0])
        assert relative_error(grads[0][1], grads[1][1]) < 1e-6


def test_one_step_stays_lines_unless_an_engine_is_named():
    net = nn.Sequential(nn.Linear(4, 4), neuron.LIFNode())
    for backend, count in (("auto", 0), ("torch", 1)):
        net[1].backend = backend
        functional.reset_net(net)
        plain = copy.deepcopy(net)
        torch.compiler.reset()
        run, counter = compiled(net)
        for t in range(3):
            x = sequence((3, 4), 1, seed=t)[0]
            assert torch.equal(run(x), plain(x))
        assert [len(operators(graph)) for graph in counter.graphs] == [count, count]


def test_what_cannot_be_traced_follows_the_lines():
    for options in ({"backend": "eager"}, {"surrogate_function": Lines()}):
        node = neuron.LIFNode(step_mode="m", **options)
        plain = copy.deepcopy(node)
        run, counter = compiled(node)
        x_seq = sequence((3, 4))
        assert torch.equal(run(x_seq), plain(x_seq))
        assert operators(counter.graphs[0]) == []


def test_a_wrapper_of_tensors_follows_the_lines():
    node, x_seq = neuron.LIFNode(step_mode="m"), 2.0 * sequence((3, 4))
    run, counter = compiled(node)
    found = run(TwoTensor(x_seq, x_seq * 0.5))
    assert operators(counter.graphs[0]) == []
    for half, given in ((found.a, x_seq), (found.b, x_seq * 0.5)):
        assert torch.equal(half, neuron.LIFNode(step_mode="m")(given))


class Wide(neuron.BaseNode):
    """Multiplies by float64 numbers, which makes its states float64."""

    def __init__(self, **options):
        super().__init__(**options)
        self.register_buffer("weight", torch.full((4,), 1 / 3, dtype=torch.float64))

    def neuronal_charge(self, x):
        self.v = self.v * self.weight + x


def test_a_parameter_that_no_program_takes_follows_the_lines():
    x_seq, plain = sequence((3, 4)), Wide(step_mode="m", backend="eager")
    other = neuron.LIFNode(step_mode="m")
    other.tau = TwoTensor(torch.full((4,), 2.5), torch.full((4,), 2.0))
    expected = plain(x_seq)
    node = Wide(step_mode="m")
    for run in (torch.compile(node, backend="eager"), node):
        node.reset()
        with FlopCounterMode(display=False) if run is node else nullcontext():
            assert torch.equal(run(x_seq), expected)
        assert node.v.dtype == torch.float64
        assert torch.equal(node.v, plain.v)
    with FlopCounterMode(display=False):
        other(x_seq)
    assert type(other.v) is TwoTensor


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_torch_jit_sees_the_lines(step_mode):
    """A kernel's results are constants to it."""
    node, plain = (neuron.LIFNode(step_mode=step_mode, backend=b) for b in ("auto", "eager"))
    given, other = 2 * sequence((3, 4)), 2 * sequence((3, 4), seed=1)
    for _ in range(3):
        node.reset()
        node(given)
    node.reset()
    traced = torch.jit.trace(node, (given,), check_trace=False)
    assert torch.equal(traced(other), plain(other))
    named = neuron.LIFNode(step_mode=step_mode, backend="torch")
    with pytest.raises(RuntimeError, match="torch.jit.trace .* use backend='auto'"):
        torch.jit.trace(named, (given,), check_trace=False)


class Lines(surrogate.Surrogate):
    """A derivative of no elementwise form."""

    def derivative(self, u):
        return torch.cumsum(u, 0)


def test_a_named_backend_that_cannot_serve_raises_with_the_reason():
    x_seq = sequence((3, 4))
    for options, reason in (
        ({"backend": "torch", "surrogate_function": Lines()}, "Tensor.cumsum|torch.cumsum"),
        ({"backend": "triton"}, "backend 'triton' cannot run"),
    ):
        node = neuron.LIFNode(step_mode="m", **options)
        run, _ = compiled(node)
        with pytest.raises(Exception, match=reason):
            run(x_seq)
        with pytest.raises(RuntimeError, match=reason):
            torch.compile(node, backend="aot_eager")(x_seq)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.uint8])
def test_dtypes(dtype):
    node = neuron.LIFNode(step_mode="m", store_v_seq=dtype == torch.bfloat16)
    plain = copy.deepcopy(node)
    run, counter = compiled(node)
    x_seq = (sequence((3, 4), dtype=torch.float64) * 2).to(dtype)
    spikes, expected = run(x_seq), plain(x_seq)
    assert spikes.dtype == expected.dtype
    assert torch.equal(spikes, expected)
    assert node.v.dtype == plain.v.dtype
    assert len(operators(counter.graphs[0])) == 1


def test_autocast():
    net = make_net()
    plain = copy.deepcopy(net)
    run, counter = compiled(net)
    x_seq = sequence((3, 6))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spikes, expected = run(x_seq), plain(x_seq)
    assert spikes.dtype == torch.bfloat16
    assert torch.equal(spikes, expected)
    assert len(operators(counter.graphs[0])) == 2


def test_channels_last_stays_channels_last():
    node = neuron.LIFNode(step_mode="m")
    run, _ = compiled(node)
    x_seq = sequence((2, 4, 3, 5)).permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    x_seq.requires_grad_()
    spikes = run(x_seq)
    (grad,) = torch.autograd.grad(spikes.sum(), x_seq)
    assert spikes.stride() == grad.stride() == x_seq.stride()


def test_a_node_in_two_places_and_a_nested_call():
    node = neuron.LIFNode(step_mode="m")
    net = nn.Sequential(node, layer.Linear(4, 4), node)
    plain = copy.deepcopy(net)
    run, counter = compiled(net)
    agree(net, plain, run, sequence((3, 4)))
    assert len(operators(counter.graphs[0])) == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_inductor():
    net = make_net()
    plain = copy.deepcopy(net)
    run = torch.compile(net, fullgraph=True)
    for seed in range(2):
        x_seq = sequence((3, 6), seed=seed)
        found, grads = train(run, net, x_seq)
        expected, wanted = train(plain, plain, x_seq)
        assert torch.equal(found[0], expected[0])
        for a, b in zip((*found, *grads), (*expected, *wanted), strict=True):
            assert relative_error(a, b) < 1e-5
        functional.detach_net(net)
        functional.detach_net(plain)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_export(strict, dynamic, training):
    net, x_seq = make_net(), sequence((3, 6))
    plain = copy.deepcopy(net)
    shapes = ({0: torch.export.Dim("T", min=2), 1: torch.export.Dim("N", min=2)},)
    with torch.set_grad_enabled(training):
        program = torch.export.export(
            net, (x_seq,), strict=strict, dynamic_shapes=shapes if dynamic else None
        )
    assert net[1].v == 0.0
    found = operators(program.graph_module)
    assert [node.args[6] for node in found] == ["auto", "auto"]
    module = program.module()
    for given in (x_seq, sequence((4, 6), 9) if dynamic else x_seq):
        functional.reset_net(plain)
        if training:
            agree(module, plain, module, given)
        else:
            assert torch.equal(module(given), plain(given))


@pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning")
def test_an_exported_program_is_saved_and_loaded():
    net, x_seq = make_net(), sequence((3, 6))
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(net, (x_seq,)), buffer)
    buffer.seek(0)
    program = torch.export.load(buffer).run_decompositions()
    assert torch.equal(program.module()(x_seq), net(x_seq))


def test_fake_tensors_have_the_shapes_of_real_ones():
    real = neuron.ParametricLIFNode(step_mode="m", store_v_seq=True)
    expected = real(sequence((2, 4, 3)).requires_grad_())
    with FakeTensorMode():
        node = neuron.ParametricLIFNode(step_mode="m", store_v_seq=True)
        x_seq = torch.rand(7, 2, 4, 3, requires_grad=True)
        spikes = node(x_seq)
        spikes.sum().backward()
        for a, b in ((spikes, expected), (node.v, real.v), (node.v_seq, real.v_seq)):
            assert (a.shape, a.dtype, a.stride()) == (b.shape, b.dtype, b.stride())
        assert x_seq.grad.shape == x_seq.shape
        assert node.w.grad.shape == node.w.shape


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_who_watches_operations_sees_the_operator(mode):
    net, x_seq = make_net(), sequence((3, 6))

    def run(x):
        functional.reset_net(net)
        return net(x)

    graph = make_fx(run, tracing_mode=mode, _allow_non_fake_inputs=True)(x_seq)
    functional.reset_net(net)
    assert len(operators(graph)) == 2
    assert torch.equal(graph(x_seq * 0.8), run(x_seq * 0.8))


def test_counting_operations_changes_nothing():
    net, x_seq = make_net(), sequence((3, 6))
    expected = net(x_seq)
    functional.reset_net(net)
    with FlopCounterMode(display=False) as counter:
        assert torch.equal(net(x_seq), expected)
    assert counter.get_total_flops() == 2 * 7 * 3 * (6 * 5 + 5 * 4)


def test_several_states_dynamic():
    node = Refractory(step_mode="m", store_v_seq=True)
    plain = copy.deepcopy(node)
    run, counter = compiled(node, dynamic=True)
    counts = []
    for T, N in ((6, 5), (4, 2), (7, 9)):
        agree(node, plain, run, sequence((N, 4, 3), T))
        assert torch.equal(node.v_seq, plain.v_seq)
        node.reset()
        plain.reset()
        counts.append(counter.frame_count)
    assert counts[0] == counts[1] == counts[2]


def test_constants_are_marked_as_torch_marks_them():
    """By hand, as torch's own decorator loads all of torch.compile when it is imported."""

    def marked():
        pass

    torch.compiler.assume_constant_result(marked)
    assert vars(marked).items() <= vars(plan.plan).items()

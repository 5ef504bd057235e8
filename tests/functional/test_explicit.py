"""States as inputs and outputs: exported steps, run by others, are the net's own."""

import copy
import io

import pytest
import torch
from torch import nn

from spikeframe import base, functional, layer, neuron, surrogate


def net_of():
    torch.manual_seed(0)
    net = nn.Sequential(
        layer.Conv2d(2, 4, 3, padding=1),
        layer.BatchNorm2d(4),
        neuron.LIFNode(v_threshold=0.3, surrogate_function=surrogate.ATan()),
        layer.SynapseFilter(tau=2.0),
        layer.MaxPool2d(2),
        layer.Flatten(),
        layer.Linear(64, 5),
        neuron.ParametricLIFNode(v_threshold=0.05, v_reset=-0.1),
        neuron.Leaky(beta=0.8),
    )
    return net.eval()


def images(T=6):
    generator = torch.Generator().manual_seed(1)
    return 3 * torch.randn(T, 3, 2, 8, 8, generator=generator)


def check(run, states):
    """A step that somebody else runs, states handed on, against the net."""
    net = net_of()
    fired = 0.0
    for x in images():
        with torch.no_grad():
            expected = net(x)
        y, *states = run(x, *states)
        torch.testing.assert_close(y, expected)
        fired += float(expected.sum())
    torch.testing.assert_close(list(states), list(base.memories(net)))
    assert fired > 0


def test_explicit_states_are_those_of_the_net():
    step = functional.ExplicitStates(net_of())
    states = step.initial_states(images()[0])
    assert step.names == [name for name, _ in base.named_memories(step.net)]
    assert states[-2].unique().tolist() == pytest.approx([-0.1])
    check(step, states)
    assert functional.get_states(step.net) == {}


def test_a_copy_has_states_of_its_own():
    step = functional.ExplicitStates(net_of())
    twin = copy.deepcopy(step)
    with torch.no_grad():
        step.net[0].weight.zero_()
    check(twin, twin.initial_states(images()[0]))


def test_a_sequence_takes_explicit_states_too():
    step = functional.ExplicitStates(net_of())
    functional.set_step_mode(step, "m")
    states = step.initial_states(images())
    assert states[-1].shape == (3, 5)
    y_seq, *states = step(images(), *states)
    net = net_of()
    torch.testing.assert_close(y_seq, torch.stack([net(x) for x in images()]))
    torch.testing.assert_close(states, list(base.memories(net)))


@pytest.mark.filterwarnings("ignore:While compiling, we found certain side:UserWarning")
@pytest.mark.filterwarnings("ignore:.*autograd.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("strict", [False, True], ids=["loose", "strict"])
def test_exported_step_equals_the_net(strict):
    step = functional.ExplicitStates(net_of())
    example = images()[0]
    states = step.initial_states(example)
    with torch.no_grad():
        program = torch.export.export(step, (example, *states), strict=strict)
    targets = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert all(target.startswith("aten.") for target in targets)
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    check(torch.export.load(file).module(), states)


@pytest.mark.filterwarnings("ignore:.*autograd.*should not be instantiated:DeprecationWarning")
def test_explicit_states_compile_whole():
    step = functional.ExplicitStates(net_of())
    compiled = torch.compile(step, fullgraph=True, backend="eager")
    with torch.no_grad():
        check(compiled, step.initial_states(images()[0]))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_onnx_step_equals_the_net(tmp_path):
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason="pip install 'spikeframe[onnx]'")
    runtime = pytest.importorskip("onnxruntime", reason="pip install 'spikeframe[onnx]'")
    step = functional.ExplicitStates(net_of())
    example = images()[0]
    states = step.initial_states(example)
    path = str(tmp_path / "step.onnx")
    with torch.no_grad():
        torch.onnx.export(step, (example, *states), dynamo=True, verbose=False).save(path)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    assert len(names) == 1 + len(states)

    def run(*tensors):
        given = {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}
        return [torch.from_numpy(result) for result in session.run(None, given)]

    check(run, states)


class Diary(base.MemoryModule):
    """Keeps a list."""

    def __init__(self):
        super().__init__()
        self.register_memory("pages", [])

    def single_step_forward(self, x):
        self.pages = [*self.pages, x]
        return x


def test_what_cannot_be_explicit_says_so():
    with pytest.raises(TypeError, match="net must be an nn.Module, got list"):
        functional.ExplicitStates([])
    step = functional.ExplicitStates(nn.Sequential(Diary()))
    with pytest.raises(TypeError, match=r"the state '0\.pages' is a list after a step"):
        step.initial_states(torch.ones(2))
    step = functional.ExplicitStates(neuron.IFNode())
    with pytest.raises(ValueError, match="has 1 memories, got 0 values"):
        step(torch.ones(2))

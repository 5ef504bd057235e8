"""What docs/state.md promises of every memory: a test for each sentence, its docstring."""

import copy
import io
import pickle
import re
from pathlib import Path

import pytest
import torch
from cases import NEURONS, sequence
from own_layers import OWN_LAYERS
from torch import nn
from torch.utils.checkpoint import checkpoint

from spikeframe import base, functional, neuron, surrogate

PAGE = Path(__file__).parents[2] / "docs" / "state.md"
LAYERS = [case for case in OWN_LAYERS if case.state]
each_neuron = pytest.mark.parametrize("case", NEURONS, ids=str)
each_layer = pytest.mark.parametrize("case", LAYERS, ids=str)


def promised():
    """The sentences of the list in the page."""
    text = PAGE.read_text().split("What holds of every memory:")[1].split("```")[0]
    items = [" ".join(item.split()) for item in re.split(r"^- ", text, flags=re.M)[1:]]
    return [part for item in items for part in re.split(r"(?<=\.) (?=[A-Z])", item)]


def tensors(module):
    return [v for v in base.memories(module) if isinstance(v, torch.Tensor)]


def live(case, **options):
    """A node that has seen two steps, with history."""
    node = case(**options)
    for x in sequence((3, 5))[:2]:
        node(x.requires_grad_())
    return node


def test_every_sentence_has_a_test():
    said = {" ".join((f.__doc__ or "").split()) for f in globals().values() if callable(f)}
    assert len(promised()) == 12
    assert [sentence for sentence in promised() if sentence not in said] == []


@each_neuron
def test_start(case):
    """It starts at its reset value (for `v`, the reset potential) and takes the input's shape,
    device and precision at the first step.
    """
    node = case(v_reset=-0.25)
    assert node.v == node.get_reset_value("v") == -0.25
    for shape, dtype, device in (
        ((), torch.float32, "cpu"),
        ((4, 2), torch.float64, "cpu"),
        ((1, 3), torch.float32, "meta"),
    ):
        node.reset()
        node.backend = "eager"
        node(torch.zeros(shape, dtype=dtype, device=device))
        assert (node.v.shape, node.v.dtype, node.v.device.type) == (shape, dtype, device)


@each_neuron
@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_other_shapes(case, step_mode):
    """An input of another shape raises an error that names the module, both shapes and the
    cure.
    """
    net = nn.Sequential(nn.Identity(), case(step_mode=step_mode))
    x_seq = sequence((3, 5))
    net(x_seq if step_mode == "m" else x_seq[0])
    text = rf"{type(net[1]).__name__} '1': \w+ has shape \[3, 5\] .* \[2, 5\]: .*reset_net\(net\)"
    with pytest.raises(ValueError, match=text):
        net(x_seq[:, :2] if step_mode == "m" else x_seq[0, :2])


@each_neuron
@pytest.mark.parametrize("shape", [(1, 5), (3, 1), (5,), (1, 3, 5), (3, 4), (6, 5), ()], ids=str)
def test_nothing_is_guessed(case, shape):
    """Nothing is silently re-initialised, truncated or broadcast."""
    node = live(case)
    before = functional.get_states(node)
    with pytest.raises(ValueError, match="reset_net"):
        node(torch.ones(shape))
    after = functional.get_states(node)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@each_neuron
@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_precision(case, step_mode):
    """It is float32 (float64 for a float64 input), whatever the dtype of the input and the
    weights: `net.half()` and `torch.autocast` change what is stored, not how a membrane adds up.
    """
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        net = nn.Sequential(nn.Linear(5, 4), case(step_mode=step_mode)).to(dtype)
        net(sequence((3, 5)).to(dtype))
        expected = torch.float64 if dtype == torch.float64 else torch.float32
        assert {v.dtype for v in tensors(net)} == {expected}
    net = nn.Sequential(nn.Linear(5, 4), case(step_mode=step_mode))
    with torch.autocast("cpu", torch.bfloat16):
        assert net(sequence((3, 5))).dtype == torch.bfloat16
    assert {v.dtype for v in tensors(net)} == {torch.float32}
    node = case(step_mode="m", v_threshold=1e9)
    node(torch.full((300, 1), 2**-9, dtype=torch.bfloat16))
    twin = case(step_mode="m", v_threshold=1e9)
    twin(torch.full((300, 1), 2**-9))
    torch.testing.assert_close(node.v, twin.v)


@each_neuron
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_of_spikes(case, dtype):
    """Spikes have the input's dtype."""
    x_seq = sequence((3, 5)).to(dtype)
    assert case()(x_seq[0]).dtype == case(step_mode="m")(x_seq).dtype == dtype


@each_neuron
def test_moves_and_copies(case):
    """`.to(device)` moves it; `copy.deepcopy`, `pickle` and `torch.save` keep its value and drop
    its history.
    """
    node = live(case)
    assert any(v.grad_fn is not None for v in tensors(node))
    file = io.BytesIO()
    torch.save(node, file)
    file.seek(0)
    for twin in (
        copy.deepcopy(node),
        pickle.loads(pickle.dumps(node)),
        torch.load(file, weights_only=False),
    ):
        for theirs, ours in zip(tensors(twin), tensors(node), strict=True):
            assert torch.equal(theirs, ours)
            assert theirs.grad_fn is None
    assert {v.device.type for v in tensors(node.to("meta"))} == {"meta"}


@each_neuron
def test_state_dict(case):
    """It is not in `state_dict`, unless it is registered with `persistent=True` or asked for."""
    node = live(case)
    assert not {name for name, _ in node.named_memories()} & node.state_dict().keys()
    assert functional.get_states(node).keys() <= functional.state_dict(node).keys()

    class Counter(base.MemoryModule):
        def __init__(self):
            super().__init__()
            self.register_memory("count", 0.0, persistent=True)

        def single_step_forward(self, x):
            self.count = self.count + x
            return x

    counter = Counter()
    counter(torch.ones(2))
    assert counter.state_dict()["count"].tolist() == [1.0, 1.0]


@each_neuron
@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_states_are_replaced(case, step_mode):
    """A step replaces it and does not write into it, so that a state taken out stays what it
    was.
    """
    node = case(step_mode=step_mode)
    x = sequence((3, 5))
    run = (lambda: node(x)) if step_mode == "m" else (lambda: node(x[0]))
    run()
    taken = functional.get_states(node)
    values = {name: value.clone() for name, value in taken.items()}
    run()
    assert all(torch.equal(taken[name], values[name]) for name in taken)
    node.reset()
    assert all(torch.equal(taken[name], values[name]) for name in taken)


@each_layer
def test_states_of_layers_are_replaced(case):
    layer = case.build()
    x_seq = case.sequence(T=4, N=3)
    layer(x_seq)
    taken = {k: v for k, v in functional.get_states(layer).items() if isinstance(v, torch.Tensor)}
    values = {name: value.clone() for name, value in taken.items()}
    layer(x_seq)
    assert all(torch.equal(taken[name], values[name]) for name in taken)


def test_reset_net_walks():
    """`functional.reset_net` walks the net at every call, so that modules added later are reset,
    too.
    """
    net = nn.Sequential(neuron.IFNode())
    functional.reset_net(net)
    net.append(neuron.IFNode())
    net(torch.full((2,), 1.3))
    functional.reset_net(net)
    assert functional.get_states(net) == {}


@each_neuron
def test_finished_graphs(case):
    """A backward into a sequence that had its own already is announced before torch fails, with
    the module, `reset_net` and `detach_net`.
    """
    net = nn.Sequential(nn.Identity(), case(surrogate_function=surrogate.Sigmoid()))
    x = sequence((3, 5))[0].requires_grad_()
    net(x).sum().backward()
    loss = net(x).sum()
    text = rf"{type(net[1]).__name__} '1': .*second time.*reset_net\(net\).*detach_net\(net\)"
    with pytest.warns(UserWarning, match=text), pytest.raises(RuntimeError, match="second time"):
        loss.backward()


@each_neuron
def test_wrong_in_silence(case):
    """Where it would go wrong in silence (plain `torch.utils.checkpoint`, a `torch.func`
    transform, a replica of `nn.DataParallel`) the call raises, and names what to use.
    """
    x_seq = sequence((3, 5)).requires_grad_()
    loss = checkpoint(case(step_mode="m"), x_seq, use_reentrant=False).sum()
    with pytest.raises(RuntimeError, match=r"memory\.checkpoint\(module, x\)"):
        loss.backward()
    node = case(step_mode="m")
    with pytest.raises(RuntimeError, match=r"base\.to_functional_forward\(net\)"):
        torch.func.vmap(node)(x_seq)
    node = case()
    replica = node._replicate_for_data_parallel()
    with pytest.raises(RuntimeError, match="DistributedDataParallel"):
        replica(x_seq[0])
    node(x_seq[0])
    with pytest.raises(RuntimeError, match="DistributedDataParallel"):
        node._replicate_for_data_parallel()


@each_neuron
def test_streams(case):
    """A sequence in chunks, single steps, and a net put away and taken out in between give what
    the whole sequence gives.
    """
    x_seq = sequence((3, 5))
    whole = case(step_mode="m")(x_seq)
    node = case(step_mode="m")
    spikes = [node(x_seq[:3])]
    node = pickle.loads(pickle.dumps(node))
    node.step_mode = "s"
    spikes += [node(x).unsqueeze(0) for x in x_seq[3:5]]
    states = functional.get_states(node)
    node = case(step_mode="m")
    functional.set_states(node, states)
    assert torch.equal(torch.cat([*spikes, node(x_seq[5:])]), whole)

"""Memories: what the contract says of state, a test per sentence."""

import copy
import io
import pickle

import pytest
import torch
from cases import NEURONS, sequence
from torch import nn

from spikeframe import base, functional, neuron


class Counter(base.MemoryModule):
    """Counts its calls (an int64 memory) and keeps what it saw (a list)."""

    def __init__(self, persistent=False):
        super().__init__()
        self.register_memory("total", 0.0, persistent=persistent)
        self.register_memory("seen", [])

    def single_step_forward(self, x):
        self.total = self.total + x
        self.seen.append(x)
        return self.total


def live(case, **kwargs):
    node = case(step_mode="m", **kwargs)
    node(sequence((3, 5)).requires_grad_())
    return node


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_a_memory_starts_as_a_number_and_takes_the_inputs_shape(case):
    node = case(v_reset=-0.25)
    assert node.v == -0.25
    assert isinstance(node.v, float)
    node(torch.zeros(4, 2))
    assert node.v.shape == (4, 2)
    node.reset()
    assert node.v == -0.25
    assert case(v_reset=None).v == 0.0


def test_a_changed_v_reset_is_where_the_next_sequence_starts():
    node = neuron.IFNode()
    node.v_reset = -0.5
    assert node.v == -0.5
    node.set_reset_value("v", 0.125)
    assert node.v == 0.125
    assert node.get_reset_value("v") == 0.125
    node(torch.zeros(2))
    assert node.v.tolist() == [0.125, 0.125]


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_memories_are_not_in_the_state_dict(case):
    node = live(case)
    assert set(node.state_dict()) == {name for name, _ in node.named_parameters()}


def test_a_persistent_memory_is_in_the_state_dict_while_live():
    counter = Counter(persistent=True)
    assert not counter.state_dict()
    counter(torch.ones(2))
    saved = counter.state_dict()
    assert saved["total"].tolist() == [1.0, 1.0]
    counter.total = counter.total.requires_grad_() * 1
    assert counter.state_dict()["total"].grad_fn is None
    assert counter.state_dict(keep_vars=True)["total"].grad_fn is not None
    restored = Counter(persistent=True)
    restored.load_state_dict(saved)
    assert restored(torch.ones(2)).tolist() == [2.0, 2.0]
    restored.load_state_dict({})
    assert restored.total == 0.0
    plain = Counter()
    plain.load_state_dict(saved)
    assert plain(torch.ones(2)).tolist() == [2.0, 2.0]
    plain.load_state_dict({})
    assert plain.total.tolist() == [2.0, 2.0]
    with pytest.raises(RuntimeError, match="Unexpected key"):
        plain.load_state_dict({"totals": torch.ones(2)})


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_a_live_state_survives_copies_without_its_graph(case):
    node = live(case, store_v_seq=True)
    assert node.v.grad_fn is not None
    buffer = io.BytesIO()
    torch.save(node, buffer)
    buffer.seek(0)
    copies = [
        copy.deepcopy(node),
        pickle.loads(pickle.dumps(node)),
        torch.load(buffer, weights_only=False),
    ]
    x_seq = sequence((3, 5), seed=3)
    expected = node(x_seq)
    for other in copies:
        assert other.v.grad_fn is None
        assert other.v_seq.shape == (7, 3, 5)
        assert torch.equal(other(x_seq), expected)


def test_a_copied_fresh_node_is_fresh():
    node = pickle.loads(pickle.dumps(copy.deepcopy(neuron.IFNode(v_reset=-0.5))))
    assert node.v == -0.5
    node.v_reset = 0.25
    assert node.v == 0.25


def test_reset_does_not_touch_tensors_given_out():
    node = neuron.IFNode(v_reset=torch.tensor([0.0, -0.5]))
    node(torch.full((3, 2), 0.25))
    given_out = node.v
    node.reset()
    node(torch.zeros(3, 2))
    assert given_out.tolist() == [[0.25, -0.25]] * 3
    assert node.v.tolist() == [[0.0, -0.5]] * 3


def test_a_container_memory_does_not_leak_into_its_reset_value():
    counter = Counter()
    counter(torch.ones(1))
    assert len(counter.seen) == 1
    counter.reset()
    assert counter.seen == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_states_stay_float32_under_half_precision(dtype):
    node = neuron.ParametricLIFNode(step_mode="m")
    node(sequence((3,)))
    node.to(dtype)
    assert node.v.dtype == torch.float32
    assert node.w.dtype == dtype
    spikes = node(sequence((3,), dtype=dtype))
    assert spikes.dtype == dtype
    assert node.v.dtype == torch.float32


def test_states_follow_to_and_double():
    node = neuron.IFNode()
    node(torch.full((2,), 0.1))
    node.double()
    assert node.v.dtype == torch.float64
    assert node(torch.full((2,), 0.1, dtype=torch.float64)).dtype == torch.float64
    with pytest.raises(ValueError, match=r"v is float64 but the input is torch.float32: call net"):
        node(torch.zeros(2))
    node.store_v_seq = True
    node(torch.zeros(2, dtype=torch.float64))
    node.set_reset_value("v", torch.zeros(2))
    node.to("meta")
    assert node.get_reset_value("v").device.type == node.v_seq.device.type == "meta"
    assert node.v.device.type == "meta"
    with pytest.raises(RuntimeError, match="v is on meta but the input is on cpu: move the net"):
        node(torch.zeros(2, dtype=torch.float64))


def test_a_float32_state_meets_a_float64_input_exactly():
    node = neuron.IFNode()
    node(torch.full((2,), 0.1))
    before = node.v
    node(torch.zeros(2, dtype=torch.float64))
    assert torch.equal(node.v, before.double())


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
def test_integer_inputs_are_read_as_float32(dtype):
    node = neuron.IFNode()
    spikes = node(torch.tensor([0, 1], dtype=dtype))
    assert spikes.tolist() == [0.0, 1.0]
    assert spikes.dtype == node.v.dtype == torch.float32


def test_a_shape_that_does_not_fit_names_module_shapes_and_remedy():
    net = nn.Sequential(nn.Flatten(), nn.Sequential(neuron.IFNode()))
    net(torch.zeros(32, 10))
    message = (
        r"IFNode '1\.0': v has shape \[32, 10\] but the input is \[16, 10\]: "
        r"call functional\.reset_net\(net\)"
    )
    with pytest.raises(ValueError, match=message):
        net(torch.zeros(16, 10))
    assert net[1][0].v.shape == (32, 10)
    with pytest.raises(ValueError, match=r"shape \[32, 10\] but the input is \[1, 10\]"):
        net(torch.zeros(1, 10))
    functional.reset_net(net)
    net(torch.zeros(16, 10))


def test_a_state_assigned_by_hand_is_used_and_checked():
    node = neuron.IFNode()
    node.v = 0.5
    assert node(torch.tensor([0.25, 0.5])).tolist() == [0.0, 1.0]
    node.v = torch.zeros(1)
    with pytest.raises(ValueError, match=r"v has shape \[1\] but the input is \[2\]"):
        node(torch.zeros(2))


def test_a_reset_value_given_is_copied():
    seen = [1]
    counter = Counter()
    counter.register_memory("given", seen)
    counter.set_reset_value("seen", seen)
    seen.append(2)
    assert counter.given == counter.seen == [1]


def test_names_of_memories_are_checked():
    counter = Counter()
    with pytest.raises(ValueError, match="Counter has 'total' already"):
        counter.register_memory("total", 0)
    with pytest.raises(ValueError, match="Counter has 'forward' already"):
        counter.register_memory("forward", 0)
    with pytest.raises(ValueError, match="must be an identifier, got 'a.b'"):
        counter.register_memory("a.b", 0)
    with pytest.raises(ValueError, match=r"no memory 'w'; it has \['total', 'seen'\]"):
        counter.set_reset_value("w", 0)
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        _ = counter.absent
    assert {"total", "seen"} <= set(dir(counter))
    del counter.total
    assert not hasattr(counter, "total")
    assert dict(counter.named_memories()) == {"seen": []}


def test_detach_keeps_the_value_and_drops_the_history():
    node = neuron.LIFNode(store_v_seq=True)
    node(torch.full((2,), 0.3, requires_grad=True))
    value = node.v
    node.detach()
    assert node.v.grad_fn is None
    assert node.v_seq.grad_fn is None
    assert node.v_seq.shape == (1, 2)
    assert torch.equal(node.v, value)
    assert value.grad_fn is not None


def test_a_module_without_a_step_says_so():
    with pytest.raises(NotImplementedError, match="MemoryModule must define single_step_forward"):
        base.MemoryModule()(torch.zeros(1))
    with pytest.raises(NotImplementedError, match="BaseNode must define neuronal_charge"):
        neuron.BaseNode()(torch.zeros(1))


def test_tuples_are_stacked_over_time():
    class Pair(base.MemoryModule):
        def single_step_forward(self, x):
            return x, 2 * x

    pair = Pair()
    pair.step_mode = "m"
    first, second = pair(sequence((2,)))
    assert torch.equal(second, 2 * first)
    assert first.shape == (7, 2)

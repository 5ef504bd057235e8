"""One step at a time and a whole sequence are the same computation, bit for bit."""

from typing import ClassVar

import pytest
import torch
from cases import DTYPES, EVERY_NEURON, NEURONS, RESETS, SIZES, TOLERANCE, sequence
from reference import relative_error

from spikeframe import functional, neuron


def loop(node, x_seq):
    return torch.stack([node(x) for x in x_seq])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("v_reset", "detach_reset"), RESETS)
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_steps_equal_the_sequence(case, v_reset, detach_reset, dtype):
    for size in SIZES:
        inputs = [sequence(size, dtype=dtype).requires_grad_() for _ in range(2)]
        nodes = [case(v_reset=v_reset, detach_reset=detach_reset, step_mode=m) for m in "sm"]
        outputs = [loop(nodes[0], inputs[0]), nodes[1](inputs[1])]
        for output, node in zip(outputs, nodes, strict=True):
            (output.sum() + node.v.sum()).backward()
        assert torch.equal(*outputs)
        assert outputs[0].dtype == dtype
        assert torch.equal(nodes[0].v, nodes[1].v)
        # A fused backward adds in another order than autograd.
        assert relative_error(inputs[0].grad, inputs[1].grad) < TOLERANCE[dtype]
        for a, b in zip(nodes[0].parameters(), nodes[1].parameters(), strict=True):
            assert relative_error(a.grad, b.grad) < max(TOLERANCE[dtype], 1e-5)


MORE = EVERY_NEURON[len(NEURONS) :]
BOTH = [case for case in MORE if "s" in case().supported_step_mode()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", BOTH, ids=str)
def test_steps_of_every_neuron_equal_the_sequence(case, dtype):
    for options in case.options:
        results = []
        for step_mode in "sm":
            node = case(**options, **case.known(backend="torch"), step_mode=step_mode)
            node.backend = "eager" if step_mode == "s" else "torch"
            inputs = [x.requires_grad_() for x in case.sequences((2, 3), dtype=dtype)]
            steps = zip(*inputs, strict=True)
            output = torch.stack([node(*x) for x in steps]) if step_mode == "s" else node(*inputs)
            states = [getattr(node, name) for name in case.states]
            (output.sum() + sum(state.sum() for state in states)).backward()
            results.append((output, states, [x.grad for x in inputs]))
        (steps, step_states, step_grads), (whole, states, grads) = results
        assert steps.dtype == whole.dtype == dtype
        assert relative_error(steps, whole) < (TOLERANCE[dtype] if not case.spikes else 1e-9)
        for a, b in zip(step_states, states, strict=True):
            assert torch.equal(a, b) if case.exact else relative_error(a, b) < 1e-5
        for a, b in zip(step_grads, grads, strict=True):
            assert relative_error(a, b) < TOLERANCE[dtype]


@pytest.mark.parametrize("case", EVERY_NEURON, ids=str)
def test_a_reset_neuron_equals_a_fresh_one(case):
    node, inputs = case(step_mode="m", **case.options[0]), case.sequences((8, 5))
    node.backend = "auto" if case in NEURONS else "torch"
    first = node(*inputs)
    assert not torch.equal(node(*inputs), first)
    functional.reset_net(node)
    assert torch.equal(node(*inputs), first)
    functional.reset_net(node)
    node(*case.sequences((8,)))
    assert node.v.shape == (8,)


@pytest.mark.parametrize("case", [case for case in EVERY_NEURON if case.name != "GLIF"], ids=str)
def test_a_split_sequence_equals_the_whole(case):
    inputs = case.sequences((3, 5))
    whole, parts = (case(step_mode="m", **case.options[0]) for _ in range(2))
    for node in (whole, parts):
        node.backend = "auto" if case in NEURONS else "torch"
    expected = whole(*inputs)
    found = [parts(*(x[:3] for x in inputs)), parts(*(x[3:] for x in inputs))]
    assert torch.equal(torch.cat(found), expected)
    for name in case.states:
        assert torch.equal(getattr(parts, name), getattr(whole, name))


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_v_seq_keeps_every_step(case):
    x_seq = sequence((2, 3))
    single, multi = (case(step_mode=m, store_v_seq=True) for m in "sm")
    voltages = []
    for x in x_seq:
        single(x)
        voltages.append(single.v)
    multi(x_seq)
    assert torch.equal(multi.v_seq, torch.stack(voltages))
    assert torch.equal(single.v_seq, multi.v_seq)
    multi(x_seq[:2])
    assert multi.v_seq.shape == (2, 2, 3)
    single.reset()
    assert single.v_seq is None
    assert case().v_seq is None


def test_one_step_needs_a_step():
    with pytest.raises(ValueError, match=r"at least one step, got T=0 in shapes \[\[0, 3\]\]"):
        neuron.IFNode(step_mode="m")(torch.zeros(0, 3))
    with pytest.raises(ValueError, match=r"a multi-step input is a sequence \[T, N, \*\]"):
        neuron.IFNode(step_mode="m")(torch.tensor(1.0))


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_backward_through_time_is_linear_in_T(case):
    """Indexing x_seq[t] under autograd would leave T nodes that each add a whole sequence."""
    x_seq = sequence((2,), T=5).requires_grad_()
    output = case(step_mode="m")(x_seq)
    seen, queue, selects = set(), [output.grad_fn], 0
    while queue:
        node = queue.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        selects += "Select" in node.name()
        queue += [parent for parent, _ in node.next_functions]
    assert selects == 0


class Adaptive(neuron.LIFNode):
    """Two states, one of them shaped by a parameter per neuron."""

    reset_parameters: ClassVar = neuron.LIFNode.reset_parameters | {"w": "w_rest"}

    def __init__(self, w_rest=0.25, **kwargs):
        super().__init__(**kwargs)
        self.set_parameter("w_rest", w_rest)
        self.register_memory("w", None)

    def neuronal_charge(self, x):
        super().neuronal_charge(x - self.w)
        self.w = 0.5 * self.w


@pytest.mark.parametrize("backend", ["eager", "torch", "auto"])
@pytest.mark.parametrize("w_rest", [0.25, torch.tensor([0.25, 0.5, 0.75])])
def test_every_state_is_kept_when_asked_for(w_rest, backend):
    x_seq = sequence((2, 3)).requires_grad_()
    kept = {"store_state_seqs": True, "backend": backend}
    single, multi = (Adaptive(w_rest, step_mode=m, **kept) for m in "sm")
    states = []
    for x in x_seq.detach():
        single(x)
        states.append((single.v, single.w))
    multi(x_seq)
    assert list(multi.state_seqs) == ["v", "w"]
    for name, seq in zip("vw", zip(*states, strict=True), strict=True):
        assert torch.equal(multi.state_seqs[name], torch.stack(seq))
        assert torch.equal(single.state_seqs[name], torch.stack(seq))
    assert torch.equal(multi.state_seqs["w"][0], 0.5 * torch.as_tensor(w_rest).expand(2, 3))
    assert torch.equal(multi.v_seq, multi.state_seqs["v"])
    multi.state_seqs["v"].sum().backward()
    assert x_seq.grad.abs().sum() > 0
    assert not Adaptive(store_v_seq=True).state_seqs
    multi.reset()
    assert not multi.state_seqs

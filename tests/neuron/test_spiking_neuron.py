"""What the neurons of the snnTorch family share: equations, modes, backends, states, options."""

import copy
import io
import pickle

import pytest
import torch
from cases import DTYPES, SIZES, SNNTORCH, TOLERANCE, sequence
from reference import relative_error
from torch import nn

from spikeframe import base, functional, kernels, neuron, surrogate

# One of each kind of program, as compiling takes its time.
COMPILED = [
    case for case in SNNTORCH if case.name in ("Leaky-zero", "Alpha-subtract", "RLeaky-zero")
]


def inputs(size=(3, 5), T=9, seed=0, **options):
    return 1.5 * sequence(size, T, seed, **options)


def tensors(node):
    return {name: value.detach() for name, value in node.named_memories()}


def run(node, x_seq):
    """Spikes, states, and gradients of a weighted sum of spikes and last states."""
    x_seq = x_seq.detach().requires_grad_()
    spikes = node(x_seq)
    loss = (spikes * inputs(x_seq.shape[1:], len(x_seq), 1, dtype=spikes.dtype)).sum()
    for i, state in enumerate(node.memories()):
        loss = loss + (state * inputs(state.shape, 1, 2 + i, dtype=state.dtype)[0]).sum()
    loss.backward()
    grads = {"x": x_seq.grad} | {name: p.grad for name, p in node.named_parameters()}
    return spikes.detach(), tensors(node), grads


def literal(case, node, x_seq, spikes):
    """The states of the literal equations in float64, replaying the spikes."""
    states = {name: torch.zeros_like(x_seq[0]) for name, _ in node.named_memories()}
    fired, spike, seen, out = torch.zeros_like(x_seq[0]), surrogate.ATan(strict=True), [], []
    for x, given in zip(x_seq, spikes.to(x_seq), strict=True):
        states |= case.step(states, x, fired, node)
        u = states["mem"] - node.threshold
        clear = u.detach().abs() > 1e-4
        assert torch.equal((u.detach() > 0)[clear], given.bool()[clear])
        # The spike given, with the gradient of the surrogate.
        s = spike(u) + (given - spike(u)).detach()
        if "spk" in states:
            states["spk"] = s
        fired = given
        seen.append(states["mem"])
        out.append(s)
    return torch.stack(out), torch.stack(seen), states


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", SNNTORCH, ids=str)
def test_neuron_follows_its_equations(case, dtype):
    for size in SIZES[::2]:
        node = case(step_mode="m", store_v_seq=True, backend="torch").to(dtype)
        x_seq = inputs(size, dtype=dtype)
        spikes, _, grads = run(node, x_seq)
        mem_seq = node.mem_seq.detach()
        assert 0 < spikes.mean() < 1 or spikes.numel() < 10
        node.zero_grad()
        x = x_seq.double().requires_grad_()
        out, expected, states = literal(case, node, x, spikes)
        assert relative_error(mem_seq, expected.detach()) < TOLERANCE[dtype]
        loss = (out * inputs(size, len(x), 1, dtype=torch.float64)).sum()
        for i, (name, _) in enumerate(node.named_memories()):
            loss = loss + (states[name] * inputs(size, 1, 2 + i, dtype=torch.float64)[0]).sum()
        loss.backward()
        for name, grad in grads.items():
            wanted = x.grad if name == "x" else node.get_parameter(name).grad
            assert relative_error(grad, wanted) < 2 * TOLERANCE[dtype], name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", SNNTORCH, ids=str)
def test_steps_equal_the_sequence(case, dtype):
    for size in SIZES[::2]:
        x_seq = inputs(size, dtype=dtype)
        single, multi = (case(step_mode=m, backend="torch" if m == "m" else "auto") for m in "sm")
        outputs = torch.stack([single(x) for x in x_seq]), multi(x_seq)
        assert torch.equal(*outputs)
        assert outputs[0].dtype == dtype
        for name, state in tensors(single).items():
            assert torch.equal(state, tensors(multi)[name]), name


@pytest.mark.parametrize(
    ("case", "backend"),
    [(case, "torch") for case in SNNTORCH] + [(case, "cpp") for case in COMPILED],
    ids=str,
)
def test_backends_equal_the_lines(case, backend):
    reason = kernels.why_not(case(), backend)
    if reason is not None:
        pytest.skip(reason)
    results = [run(case(step_mode="m", backend=b), inputs()) for b in ("eager", backend)]
    (spikes, states, grads), (their_spikes, their_states, their_grads) = results
    assert torch.equal(spikes, their_spikes)
    for name, state in states.items():
        assert torch.equal(state, their_states[name]), name
    for name, grad in grads.items():
        assert relative_error(their_grads[name], grad) < TOLERANCE[torch.float32], name


@pytest.mark.parametrize("case", SNNTORCH, ids=str)
def test_a_reset_neuron_equals_a_fresh_one_and_a_split_sequence_the_whole(case):
    node, x_seq = case(step_mode="m", backend="torch"), inputs()
    whole = node(x_seq)
    states = tensors(node)
    functional.reset_net(node)
    assert all(value == 0.0 for value in node.memories())
    assert torch.equal(torch.cat([node(x_seq[:4]), node(x_seq[4:])]), whole)
    assert all(torch.equal(states[name], value) for name, value in node.named_memories())
    with pytest.raises(
        ValueError, match=r"mem has shape \[3, 5\] but the input is \[2, 5\].*reset"
    ):
        node(x_seq[:, :2])


@pytest.mark.parametrize("case", SNNTORCH, ids=str)
def test_states_may_be_taken_out_and_put_back(case):
    x_seq = inputs()
    node = case()
    outputs = [node(x) for x in x_seq]
    other = case()
    for x in x_seq[:4]:
        other(x)
    kept = base.extract_memories(other)
    fresh = case()
    fresh.load_state_dict(other.state_dict())
    base.load_memories(fresh, kept)
    for x, expected in zip(x_seq[4:], outputs[4:], strict=True):
        assert torch.equal(fresh(x), expected)


@pytest.mark.parametrize("case", SNNTORCH, ids=str)
def test_copies_and_pickles_keep_the_state(case):
    node = case()
    node(inputs()[0].requires_grad_())
    file = io.BytesIO()
    torch.save(node, file)
    file.seek(0)
    copies = [copy.deepcopy(node), pickle.loads(pickle.dumps(node))]
    copies.append(torch.load(file, weights_only=False))
    for other in copies:
        assert torch.equal(other(inputs()[1]), case_after(case)(inputs()[1]))
        assert repr(other) == repr(node)


def case_after(case):
    node = case()
    node(inputs()[0])
    return node


@pytest.mark.parametrize("case", SNNTORCH, ids=str)
def test_all_states_are_kept_when_asked_for(case):
    x_seq = inputs()
    single = case(store_state_seqs=True)
    multi = case(store_state_seqs=True, step_mode="m", backend="torch")
    seen = []
    for x in x_seq:
        single(x)
        seen.append(tensors(single))
    multi(x_seq)
    assert list(multi.state_seqs) == [name for name, _ in multi.named_memories()]
    for name, values in multi.state_seqs.items():
        assert torch.equal(values, torch.stack([states[name] for states in seen]))
        assert torch.equal(values, single.state_seqs[name])
    assert torch.equal(multi.mem_seq, multi.state_seqs["mem"])
    assert case()(x_seq[0]) is not None
    assert case().mem_seq is None


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize(
    "make", [lambda **k: neuron.Leaky(0.8, **k), lambda **k: neuron.Synaptic(0.3, 0.8, **k)]
)
def test_a_reset_without_delay_is_that_of_its_own_step(make, reset):
    """By hand in float64, gradient included; strong input keeps firing, unlike in snnTorch."""
    spike = surrogate.ATan(strict=True)
    node = make(reset_mechanism=reset, reset_delay=False, step_mode="m").double()
    x_seq = (2 * inputs(dtype=torch.float64)).requires_grad_()
    grads = []
    (node(x_seq).sum() + node.mem.sum()).backward()
    grads.append(x_seq.grad.clone())
    x_seq.grad = None
    v, i, total = torch.zeros(3, 5, dtype=torch.float64), 0.0, 0.0
    alpha = getattr(node, "alpha", 0.0)
    for x in x_seq:
        i = alpha * i + x
        h = 0.8 * v + i
        s = spike(h - 1.0)
        v, total = h - s if reset == "subtract" else (1 - s) * h, total + s.sum()
    (total + v.sum()).backward()
    assert torch.allclose(grads[0], x_seq.grad, rtol=1e-12, atol=1e-12)
    assert torch.allclose(node.mem, v, rtol=1e-12, atol=1e-12)


def test_a_neuron_above_its_threshold_after_the_reset_fires_again():
    node = neuron.Leaky(0.9, reset_delay=False, store_v_seq=True, step_mode="m")
    spikes = node(torch.tensor([[2.5], [0.0], [0.0], [0.0]]))
    assert spikes.flatten().tolist() == [1.0, 1.0, 0.0, 0.0]
    assert node.mem_seq.flatten()[:2].tolist() == pytest.approx([1.5, 0.35])


def test_the_reset_mechanism_may_change_at_any_time():
    x_seq = inputs()
    node = neuron.Leaky(0.9, step_mode="m")
    for reset in ("zero", "none", "subtract"):
        node.reset_mechanism = reset
        node.reset()
        fresh = neuron.Leaky(0.9, reset_mechanism=reset, step_mode="m")
        assert torch.equal(node(x_seq), fresh(x_seq))


def test_a_threshold_that_is_never_reached_is_not_subtracted():
    node = neuron.Leaky(0.5, threshold=float("inf"), step_mode="m")
    x_seq = inputs().requires_grad_()
    node(x_seq)
    node.mem.sum().backward()
    assert torch.equal(x_seq.grad[-1], torch.ones(3, 5))
    assert node.mem.isfinite().all()


def test_spikes_are_worth_their_factor_and_the_reset_does_not_know_it():
    x_seq = inputs()
    for reset_delay in (True, False):
        plain, graded = (
            neuron.Leaky(0.8, graded_spikes_factor=g, reset_delay=reset_delay, step_mode="m")
            for g in (1.0, torch.tensor([0.0, 0.5, 1.0, 2.0, 3.0]))
        )
        assert torch.equal(plain(x_seq) * graded.graded_spikes_factor, graded(x_seq))
        assert torch.equal(plain.mem, graded.mem)
    learned = neuron.Leaky(0.8, learn_graded_spikes_factor=True, step_mode="m")
    spikes = learned(x_seq)
    spikes.sum().backward()
    assert learned.graded_spikes_factor.grad == spikes.sum()


def test_quantised_states_are_what_fires():
    node = neuron.Synaptic(0.5, 0.5, state_quant=torch.round, store_state_seqs=True, step_mode="m")
    spikes = node(inputs())
    for states in node.state_seqs.values():
        assert torch.equal(states, states.round())
    assert torch.equal(spikes, (node.mem_seq > 1).float())
    with pytest.raises(TypeError, match="state_quant must be a function or None, got 3"):
        neuron.Leaky(0.5, state_quant=3)


def test_parameters_may_be_per_channel_and_learn():
    beta = torch.tensor([0.3, 0.6, 0.9]).reshape(3, 1, 1)
    node = neuron.Synaptic(
        *(0.2, beta),
        threshold=beta + 0.5,
        learn_beta=True,
        learn_threshold=True,
        learn_alpha="sigmoid",
        step_mode="m",
    )
    x_seq = inputs((2, 3, 2, 2))
    spikes = node(x_seq)
    spikes.sum().backward()
    for name, parameter in node.named_parameters():
        assert parameter.grad.abs().min() > 0, name
    assert dict(node.named_parameters()).keys() == {"beta", "threshold", "alpha_logit"}
    for c in range(3):
        alone = neuron.Synaptic(0.2, beta[c].item(), threshold=(beta[c] + 0.5).item())
        alone.step_mode = "m"
        assert torch.equal(alone(x_seq[:, :, c]), spikes[:, :, c].detach())
    # Two neurons made of one tensor are not tied.
    other = neuron.Leaky(beta, learn_beta=True)
    assert other.beta.data_ptr() != node.beta.data_ptr()


def test_print_shows_the_arguments():
    assert repr(neuron.Synaptic(0.5, torch.ones(3), reset_delay=False, inhibition=True)) == (
        "Synaptic(\n  alpha=0.5, beta=tensor[3], threshold=1.0, reset_mechanism='subtract', "
        "reset_delay=False, inhibition=True, step_mode=s, backend=auto\n"
        "  (surrogate_function): ATan(alpha=2.0, spiking=True, strict=True)\n)"
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"beta": 1.2}, ValueError, r"beta must be in \[0, 1\], the share .* got 1.2"),
        ({"beta": torch.tensor([0.5, -0.1])}, ValueError, "got values from -0.1 to 0.5"),
        ({"beta": "0.9"}, TypeError, r"beta must be a number.*got '0.9' \(str\)"),
        ({"learn_beta": "tanh"}, ValueError, "learn_beta must be False, True .'clamp'., 'sigm"),
        ({"beta": 1, "learn_beta": "exp"}, ValueError, "'exp' keeps beta between 0 and 1, but it"),
        ({"reset_mechanism": "soft"}, ValueError, "must be 'subtract', 'zero' or 'none', got 'so"),
        ({"threshold": float("nan")}, ValueError, "threshold must be a number, got nan"),
        ({"inhibition": 1}, TypeError, "inhibition must be True or False, got 1"),
        ({"reset_delay": None}, TypeError, "reset_delay must be True or False, got None"),
        ({"learn_threshold": "yes"}, TypeError, "learn_threshold must be True or False, got 'yes"),
        ({"backend": "gpu"}, ValueError, "backend must be one of"),
        ({"step_mode": "x"}, ValueError, "step_mode must be 's' or 'm'"),
        ({"thresold": 1.0}, TypeError, "unexpected keyword argument 'thresold'"),
    ],
)
def test_bad_arguments_say_what_is_allowed(arguments, error, message):
    with pytest.raises(error, match=message):
        neuron.Leaky(**({"beta": 0.5} | arguments))


def test_a_subclass_needs_a_charge():
    with pytest.raises(NotImplementedError, match="SpikingNeuron must define neuronal_charge"):
        neuron.SpikingNeuron()(torch.ones(2))


def test_reset_net_and_set_step_mode_reach_it_inside_a_net():
    net = nn.Sequential(
        nn.Linear(4, 5), neuron.Leaky(0.9), nn.Linear(5, 2), neuron.Synaptic(0.5, 0.9)
    )
    functional.set_step_mode(net, "m")
    net(inputs((2, 4)))
    functional.detach_net(net)
    assert net[3].syn.shape == (2, 2)
    assert not net[3].syn.requires_grad
    functional.reset_net(net)
    assert net[3].syn == net[1].mem == 0.0

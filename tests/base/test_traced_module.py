"""A step written once in plain torch is a module in both modes, of every precision."""

from typing import ClassVar

import pytest
import torch
from torch import nn

from spikeframe import base, kernels
from spikeframe.base.spikes import are_spikes

X_SEQ = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))


class Filter(base.TracedModule):
    """A decaying sum, and the sum of it over time."""

    reset_parameters: ClassVar = {"v": "v_reset"}
    replaceable = ("shape",)

    def __init__(self, decay=0.5, v_reset=0.0, shape=torch.tanh, **options):
        super().__init__(**options)
        self.set_parameters(decay=decay, v_reset=v_reset)
        self.shape = shape
        self.register_memory("v", None)
        self.register_memory("total", 0.0)

    def single_step_forward(self, x):
        self.v = self.v * self.decay + x
        self.total = self.total + self.v
        return self.shape(self.v) + self.total


class Gate(Filter):
    """Of two inputs, one of which may be left out."""

    def single_step_forward(self, x, gate, gain=1.0, *, shift=0.0):
        return super().single_step_forward(x * gate * gain + shift)


def literal(x_seq, decay=0.5, v_reset=0.0):
    v, total, outputs, states = v_reset, 0.0, [], []
    for x in x_seq:
        v = v * decay + x
        total = total + v
        outputs.append(torch.tanh(v) + total)
        states.append((v, total))
    return torch.stack(outputs), states


@pytest.mark.parametrize("backend", ["auto", "eager", "torch"])
@pytest.mark.parametrize("layout", [lambda x: x, lambda x: x.transpose(1, 2), lambda x: x[:1, 1]])
def test_both_modes_are_the_step(backend, layout):
    x_seq = layout(X_SEQ.double()).detach().requires_grad_()
    expected, states = literal(x_seq, v_reset=-0.3)
    (grad,) = torch.autograd.grad(expected.square().sum(), x_seq)
    for step_mode in ("s", "m"):
        module = Filter(v_reset=-0.3, step_mode=step_mode, backend=backend)
        found = torch.stack([module(x) for x in x_seq]) if step_mode == "s" else module(x_seq)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close((module.v, module.total), states[-1])
        torch.testing.assert_close(torch.autograd.grad(found.square().sum(), x_seq)[0], grad)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.float16, torch.float16),
        (torch.bfloat16, torch.bfloat16),
        (torch.int64, torch.float32),
        (torch.bool, torch.float32),
    ],
)
@pytest.mark.parametrize("step_mode", ["s", "m"])
@pytest.mark.parametrize("backend", ["auto", "eager"])
def test_states_are_precise_and_the_output_is_as_the_input(given, kept, step_mode, backend):
    x_seq = (2 * X_SEQ).to(given)
    module = Filter(step_mode=step_mode, backend=backend)
    found = module(x_seq if step_mode == "m" else x_seq[0])
    state = torch.float64 if given == torch.float64 else torch.float32
    assert (found.dtype, module.v.dtype) == (kept, state)
    expected = literal(x_seq.to(state))[0].to(kept)
    torch.testing.assert_close(found, expected if step_mode == "m" else expected[0])


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_sequences_of_states_are_kept_where_they_are_asked_for(step_mode):
    def run(**options):
        module = Filter(step_mode=step_mode, **options)
        for _ in range(2 if step_mode == "m" else 1):
            module.reset()
            found = module(X_SEQ) if step_mode == "m" else [module(x) for x in X_SEQ]
        assert len(found) == 5
        return module

    _, states = literal(X_SEQ)
    v_seq, total_seq = (torch.stack(seq) for seq in zip(*states, strict=True))
    assert (run().state_seqs, run().kept_states) == ({}, ())
    found = run(store_v_seq=True)
    assert (list(found.state_seqs), found.kept_states) == (["v"], ("v",))
    found = run(store_state_seqs=True)
    assert found.kept_states == ("v", "total")
    torch.testing.assert_close(found.state_seqs, {"v": v_seq, "total": total_seq})


def test_a_sequence_is_of_the_last_call_and_of_the_named_membrane():
    class Total(Filter):
        membrane = "total"

    module = Total(step_mode="m", store_v_seq=True)
    module(X_SEQ)
    module(X_SEQ[:2])
    assert list(module.state_seqs) == ["total"]
    assert module.state_seqs["total"].shape == (2, 2, 3)


def test_memories_of_the_states_shape():
    module = Filter(v_reset=-0.3)
    module.register_memory("places", None)
    module.register_memory("count", 0)
    assert module.shaped_memories() == ["v", "total"]
    module(X_SEQ[0])
    assert (module.v.shape, module.total.shape, module.places) == ((2, 3), (2, 3), None)


def test_a_state_starts_as_its_parameter():
    module = Filter(v_reset=-0.3)
    assert (module.v, module.get_reset_value("v")) == (-0.3, -0.3)
    module.v_reset = 0.25
    assert module.v == 0.25
    module.v_reset = None
    assert module.v == 0.0
    module.set_reset_value("v", 0.125)
    assert module.v == 0.125
    module.register_memory("places", None)
    assert module.get_reset_value("places") is None


def test_parameters_are_numbers_buffers_or_parameters():
    module = Filter(decay=1)
    assert (module.decay, type(module.decay)) == (1.0, float)
    module = Filter(decay=torch.ones(3, dtype=torch.float64))
    assert module.decay.dtype == torch.get_default_dtype()
    assert dict(module.named_buffers()).keys() == {"decay"}
    decay = nn.Parameter(torch.ones(3, dtype=torch.float64))
    module = Filter(decay=decay)
    assert dict(module.named_parameters()) == {"decay": decay}
    module.decay = 0.25
    assert (module.decay, list(module.parameters())) == (0.25, [])
    module.decay = torch.ones(3)
    assert "decay" in dict(module.named_buffers())
    module.decay = decay
    assert list(module.parameters()) == [decay]
    assert not list(module.buffers())


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        ("0.5", TypeError, "decay must be a number, a tensor or an nn.Parameter, got '0.5'"),
        (True, TypeError, "decay must be a number"),
        (torch.tensor(1j), TypeError, "decay must have real values, got torch.complex64"),
        (nn.Parameter(torch.tensor(1j)), TypeError, "decay must have real values"),
        (float("nan"), ValueError, "decay must be a number, got nan"),
        (torch.tensor([1.0, float("nan")]), ValueError, "decay must have .* got nan among them"),
    ],
)
def test_wrong_parameters_are_named(value, error, text):
    with pytest.raises(error, match=text):
        Filter(decay=value)


def test_a_function_a_module_and_a_number_take_turns():
    module = Filter(shape=nn.Tanh())
    x = X_SEQ[0]
    first = module(x)
    assert "shape" in dict(module.named_children())
    module.reset()
    module.shape = torch.tanh
    assert "shape" not in dict(module.named_children())
    assert torch.equal(module(x), first)
    module.reset()
    module.shape = nn.Tanh()
    assert torch.equal(module(x), first)


@pytest.mark.parametrize("step_mode", ["s", "m"])
@pytest.mark.parametrize(
    ("decay", "text"),
    [
        (torch.ones(2), r"Filter '0': decay has shape \[2\], .* the input \[2, 3\]: give it one"),
        (torch.ones(5, 2, 3), r"decay has shape \[5, 2, 3\], which does not broadcast"),
        (torch.ones(3, 1), r"decay has shape \[3, 1\], which does not broadcast"),
        (
            nn.Parameter(torch.ones(3, dtype=torch.float64)),
            r"Filter '0': decay is float64 but the input is torch.float32: call net.float\(\)",
        ),
    ],
)
def test_parameters_fit_a_step(decay, text, step_mode):
    net = nn.Sequential(Filter(decay, step_mode=step_mode))
    with pytest.raises(ValueError, match=text):
        net(X_SEQ if step_mode == "m" else X_SEQ[0])


@pytest.mark.parametrize("decay", [0.5, torch.full((3,), 0.5), torch.full((2, 1), 0.5).double()])
def test_parameters_that_fit(decay):
    x_seq = X_SEQ.double()
    torch.testing.assert_close(Filter(decay, step_mode="m")(x_seq), literal(x_seq)[0])
    if not isinstance(decay, torch.Tensor):
        return
    # One value of double precision is as a number.
    single = Filter(nn.Parameter(decay.double().mean()), step_mode="m")
    torch.testing.assert_close(single(X_SEQ), literal(X_SEQ)[0])


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_other_inputs_are_refused(step_mode):
    net = nn.Sequential(Filter(step_mode=step_mode))
    with pytest.raises(TypeError, match="Filter '0' takes a tensor, got list"):
        net([1.0])
    with pytest.raises(TypeError, match="Filter '0' takes real inputs, got torch.complex64"):
        net(X_SEQ.to(torch.complex64))
    if step_mode == "m":
        with pytest.raises(ValueError, match="Filter '0': "):
            net(X_SEQ[:0])


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_a_call_that_fails_leaves_the_states(step_mode):
    module = Filter(step_mode=step_mode, backend="eager")
    module(X_SEQ if step_mode == "m" else X_SEQ[0])
    v, total = module.v, module.total
    module.shape = lambda v: 1 / 0
    with pytest.raises(ZeroDivisionError):
        module(X_SEQ if step_mode == "m" else X_SEQ[0])
    assert module.v is v
    assert module.total is total


def test_an_output_of_another_shape_is_refused():
    text = r"Filter '0': an input \[N, \*\] of shape \[2, 3\] gave spikes of shape \[2\]: param"
    net = nn.Sequential(Filter(shape=lambda v: v.sum(1), backend="eager"))
    net[0].single_step_forward = lambda x: x.sum(1)
    with pytest.raises(ValueError, match=text):
        net(X_SEQ[0])


@pytest.mark.parametrize("backend", ["auto", "eager", "torch"])
def test_steps_of_several_inputs(backend):
    module, gates = Gate(backend=backend, step_mode="m"), (X_SEQ > 0).half()
    assert module.n_inputs == 2
    expected, _ = literal(X_SEQ.relu())
    torch.testing.assert_close(module(X_SEQ, gates), expected)
    module.reset()
    module.step_mode = "s"
    found = [module(x, gate) for x, gate in zip(X_SEQ, gates, strict=True)]
    torch.testing.assert_close(torch.stack(found), expected)


def test_the_inputs_are_those_of_the_charge_where_there_is_one():
    class Charged(Filter):
        def neuronal_charge(self, x, y, z, scale=1.0):
            """Not called here."""

    assert (Filter().n_inputs, Charged().n_inputs) == (1, 3)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_outputs_that_are_0_or_1_are_marked(binary, step_mode):
    class Fires(Filter):
        fires_binary = binary

    assert Filter().fires_binary is False
    found = Fires(step_mode=step_mode)(X_SEQ if step_mode == "m" else X_SEQ[0])
    assert are_spikes(found) is binary


@pytest.mark.parametrize("name", ["run_sequences", "fit_memories", "_enter"])
def test_a_method_of_a_subclass_sees_every_call(name):
    seen = []

    def method(self, *args):
        seen.append(name)
        return getattr(Filter, name)(self, *args)

    kind = type("Watched", (Filter,), {name: method})
    assert (Filter().is_replayable, kind().is_replayable) == (True, False)
    module = kind(step_mode="m", backend="torch")
    for _ in range(4):
        module.reset()
        module(X_SEQ)
    assert len(seen) == 4


def test_arguments_are_checked():
    for flag in ("store_v_seq", "store_state_seqs"):
        with pytest.raises(TypeError, match=f"{flag} must be True or False, got 1"):
            Filter(**{flag: 1})
    with pytest.raises(ValueError, match="step_mode must be 's' or 'm', got 'x'"):
        Filter(step_mode="x")
    with pytest.raises(ValueError, match="backend must be one of 'auto', .* got 'numpy'"):
        Filter(backend="numpy")
    module = Filter()
    assert (module.step_mode, module.backend, module.save) == ("s", "auto", "auto")
    assert set(module.supported_backends) >= {"auto", "eager", "torch", "cpp", "triton", "cupy"}
    module.save = "input"
    with pytest.raises(ValueError, match="save must be 'auto' or 'input', got 'all'"):
        module.save = "all"
    assert module.save == "input"


@pytest.mark.parametrize("own", ["class", "instance"])
@pytest.mark.parametrize("name", ["multi_step_forward", "check_input"])
def test_a_method_at_the_entry_sees_every_call_of_a_kept_kernel(name, own):
    seen = []

    def method(self, *args):
        seen.append(name)
        return getattr(Filter, name)(self, *args)

    kind = type("Watched", (Filter,), {name: method} if own == "class" else {})
    module = kind(step_mode="m", backend="torch")
    if own == "instance":
        for _ in range(3):
            module.reset()
            module(X_SEQ)
        setattr(module, name, method.__get__(module))
    for _ in range(4):
        module.reset()
        module(X_SEQ)
    assert seen == [name] * 4
    assert kernels.is_kept(module)

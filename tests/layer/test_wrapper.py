"""Every stateless layer computes what torch's does, in both step modes, whatever the strides."""

import copy
import inspect
import pickle

import pytest
import torch
from layers import LAYERS, LayerCase
from torch import nn

from spikeframe import functional, layer

# Sums are taken in another order where time is folded: a few units in the last place.
TOLERANCE = {
    torch.float32: {"rtol": 1e-5, "atol": 1e-5},
    torch.float64: {"rtol": 1e-12, "atol": 1e-12},
}
EXACT = TOLERANCE[torch.float64]
STEPS, BATCH = 3, 5
each_layer = pytest.mark.parametrize("case", LAYERS, ids=str)


def outputs(result):
    """The results as a tuple, also where there is one."""
    return result if isinstance(result, tuple) else (result,)


def folded(module, inputs):
    """torch's layer on a sequence, with time folded into the batch by hand."""
    results = outputs(module(*(x.reshape(-1, *x.shape[2:]) for x in inputs)))
    return tuple(y.reshape(*inputs[0].shape[:2], *y.shape[1:]) for y in results)


def gradients(module, run, x, others, weights):
    """Gradients to ``x`` and to all parameters of a weighted sum of the outputs."""
    x = x.detach().requires_grad_()
    results = outputs(run((x, *others)))
    loss = sum((y * w).sum() for y, w in zip(results, weights, strict=True))
    return torch.autograd.grad(loss, [x, *module.parameters()])


def weights_like(results):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(y.shape, generator=generator, dtype=torch.float64) for y in results]


def test_every_public_layer_is_under_test():
    stateless = [n for n in layer.__all__ if issubclass(getattr(layer, n), layer.StatelessLayer)]
    wrapped = {name for name in stateless if hasattr(nn, name)}
    assert wrapped == {case.name for case in LAYERS}


@pytest.mark.parametrize(
    # Without running statistics those of the batch are used, which is another one in each mode.
    "case",
    [case for case in LAYERS if case.note != "untracked"],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_layer_step_by_step_equals_layer_by_layer(case, dtype):
    single, multi = case.build("s", dtype).eval(), case.build("m", dtype).eval()
    inputs = case.inputs(STEPS, BATCH, dtype=dtype)
    steps = [outputs(single(*step)) for step in zip(*(x.unbind(0) for x in inputs), strict=True)]
    looped = [torch.stack(parts) for parts in zip(*steps, strict=True)]
    together = outputs(multi(*inputs))
    assert len(looped) == len(together)
    for by_step, by_layer in zip(looped, together, strict=True):
        torch.testing.assert_close(by_layer, by_step, **TOLERANCE[dtype])


@each_layer
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_layer_equals_folded_torch(case, training):
    ours, reference = case.build("m").train(training), case.build_torch().train(training)
    inputs = case.inputs(STEPS, BATCH)
    for _ in range(2):
        for y, expected in zip(outputs(ours(*inputs)), folded(reference, inputs), strict=True):
            torch.testing.assert_close(y, expected, **EXACT)
    torch.testing.assert_close(ours.state_dict(), reference.state_dict(), **EXACT)


@each_layer
def test_layer_gradients_equal_folded_torch(case):
    ours, reference = case.build("m"), case.build_torch()
    x, *others = case.inputs(STEPS, BATCH)
    weights = weights_like(folded(case.build_torch(), (x, *others)))
    found = gradients(ours, lambda inputs: ours(*inputs), x, others, weights)
    expected = gradients(reference, lambda inputs: folded(reference, inputs), x, others, weights)
    torch.testing.assert_close(found, expected, **EXACT)


@each_layer
def test_layer_in_step_mode_s_is_torch(case):
    ours, reference = case.build("s"), case.build_torch()
    leads = [(BATCH,), ()] if case.unbatched else [(BATCH,)]
    for lead in leads:
        inputs = case.inputs(*lead)
        for y, expected in zip(outputs(ours(*inputs)), outputs(reference(*inputs)), strict=True):
            assert torch.equal(y, expected)


@each_layer
def test_layer_keeps_state_dict_and_class_of_torch(case):
    ours, reference = case.build("m"), case.build_torch()
    assert list(ours.state_dict()) == list(reference.state_dict())
    assert isinstance(ours, getattr(nn, case.name))
    reference.load_state_dict(ours.state_dict())


@each_layer
def test_layer_constructor_is_torchs_with_step_mode(case):
    ours = inspect.signature(getattr(layer, case.name)).parameters
    theirs = inspect.signature(getattr(nn, case.name)).parameters
    step_mode = ours["step_mode"]
    assert step_mode.default == "s"
    assert step_mode.kind is inspect.Parameter.KEYWORD_ONLY
    shared = [(p.name, p.default, p.kind) for p in ours.values() if p.name in theirs]
    assert shared == [(p.name, p.default, p.kind) for p in theirs.values()]
    # An argument that an older torch lacks may be ours already.
    assert set(ours) - set(theirs) <= {"step_mode", "bias", "event_driven"}


@each_layer
def test_layer_strides_do_not_matter(case):
    inputs = case.inputs(STEPS, BATCH)
    expected = outputs(case.build("m").eval()(*inputs))
    variants = {
        "batch first": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
        "part of a batch": lambda x: torch.cat([x, x], 1)[:, :BATCH],
        "every other step": lambda x: x.repeat_interleave(2, 0)[::2],
        "last first": lambda x: x.movedim(-1, 0).contiguous().movedim(0, -1),
    }
    for name, variant in variants.items():
        results = outputs(case.build("m").eval()(*map(variant, inputs)))
        for y, reference in zip(results, expected, strict=True):
            torch.testing.assert_close(y, reference, **EXACT, msg=lambda m, n=name: f"{n}: {m}")


@each_layer
def test_layer_of_one_step_and_without_grad(case):
    ours, reference = case.build("m"), case.build_torch()
    inputs = case.inputs(1, BATCH)
    with torch.no_grad():
        results = outputs(ours(*inputs))
    for y, expected in zip(results, folded(reference, inputs), strict=True):
        torch.testing.assert_close(y, expected, **EXACT)
        assert not y.requires_grad


@each_layer
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_layer_static_sequence_equals_its_copy(case, training):
    static, copied = case.build("m").train(training), case.build("m").train(training)
    steps = [x.requires_grad_(x.is_floating_point()) for x in case.inputs(BATCH)]
    repeated = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in steps]
    for _ in range(2):
        results = outputs(static(*(x.expand(4, *x.shape) for x in steps)))
        references = outputs(copied(*(x.repeat(4, *[1] * x.dim()) for x in repeated)))
        for y, expected in zip(results, references, strict=True):
            assert y.stride(0) == 0
            torch.testing.assert_close(y, expected, **EXACT)
    torch.testing.assert_close(static.state_dict(), copied.state_dict(), **EXACT)

    weights = weights_like(references)
    for module, x, found in ((static, steps[0], results), (copied, repeated[0], references)):
        sum((y * w).sum() for y, w in zip(found, weights, strict=True)).backward()
        assert x.grad is not None
        assert all(p.grad is not None for p in module.parameters())
    torch.testing.assert_close(steps[0].grad, repeated[0].grad, **EXACT)
    for ours, expected in zip(static.parameters(), copied.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, expected.grad, **EXACT)


@each_layer
def test_layer_is_computed_once_for_a_static_sequence(case, monkeypatch):
    module, sizes = case.build("m"), []
    forward = getattr(nn, case.name).forward
    if case.name.startswith("BatchNorm"):
        module.eval()

    def spy(self, x, *others, **kwargs):
        sizes.append(x.shape[0])
        return forward(self, x, *others, **kwargs)

    monkeypatch.setattr(getattr(nn, case.name), "forward", spy)
    inputs = case.inputs(BATCH)
    module(*(x.expand(4, *x.shape) for x in inputs))
    module(*(x.repeat(4, *[1] * x.dim()) for x in inputs))
    assert sizes == [BATCH, 4 * BATCH]


@each_layer
def test_layer_survives_copy_pickle_and_casts(case):
    module = case.build("m").eval()
    inputs = case.inputs(STEPS, BATCH)
    expected = outputs(module(*inputs))
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert twin.step_mode == "m"
        for y, reference in zip(outputs(twin(*inputs)), expected, strict=True):
            assert torch.equal(y, reference)
    x, *others = inputs
    assert outputs(module.to(torch.float32)(x.float(), *others))[0].dtype == torch.float32
    assert repr(module).endswith("step_mode=m)")


# A sequence of these has the rank of a step of something else, and the other way around.
TAKES_SEQUENCE_AS_STEP = {"Linear", "Linear-inner", "Flatten", "Flatten-inner", "BatchNorm1d"}
TAKES_SEQUENCE_AS_STEP |= {"GroupNorm", "GroupNorm-plain"}
TAKES_STEP_AS_SEQUENCE = TAKES_SEQUENCE_AS_STEP - {"Linear", "BatchNorm1d"} | {"BatchNorm1d-lines"}


@pytest.mark.parametrize(
    "case", [case for case in LAYERS if str(case) not in TAKES_SEQUENCE_AS_STEP], ids=str
)
def test_layer_refuses_a_sequence_as_a_step(case):
    match = rf"^{case.name} with step_mode 's' takes one step \[N, C.*got an input of shape \[3, 5"
    with pytest.raises(ValueError, match=match) as error:
        case.build("s")(*case.inputs(STEPS, BATCH))
    assert "call functional.set_step_mode(net, 'm')" in str(error.value)


@pytest.mark.parametrize(
    "case", [case for case in LAYERS if str(case) not in TAKES_STEP_AS_SEQUENCE], ids=str
)
def test_layer_refuses_a_step_as_a_sequence(case):
    match = (
        rf"^{case.name} with step_mode 'm' takes a sequence \[T, N, .*got an input of shape \[5"
    )
    with pytest.raises(ValueError, match=match) as error:
        case.build("m")(*case.inputs(BATCH))
    assert "functional.set_step_mode(net, 's'), or make a sequence of it" in str(error.value)


def test_wrong_rank_names_the_layer_and_its_place():
    net = nn.Sequential(nn.Identity(), layer.Conv2d(2, 3, 3))
    text = (
        r"Conv2d '1' with step_mode 's' takes one step \[N, C, H, W\] or \[C, H, W\], got an "
        r"input of shape \[4, 1, 2, 5, 5\]: if it is a sequence, call "
        r"functional.set_step_mode\(net, 'm'\)"
    )
    with pytest.raises(ValueError, match=text):
        net(torch.zeros(4, 1, 2, 5, 5))
    functional.set_step_mode(net, "m")
    assert net(torch.zeros(4, 1, 2, 5, 5)).shape == (4, 1, 3, 3, 3)
    text = (
        r"Conv2d '1' with step_mode 'm' takes a sequence \[T, N, C, H, W\], got an input of shape "
        r"\[1, 2, 5, 5\]: if it is one step, .* by x.expand\(T, \*x.shape\)"
    )
    with pytest.raises(ValueError, match=text):
        net(torch.zeros(1, 2, 5, 5))
    with pytest.raises(ValueError, match="add or remove dimensions"):
        net(torch.zeros(5, 5))


def test_wrong_step_mode_and_empty_sequence():
    with pytest.raises(ValueError, match="step_mode must be 's' or 'm', got 'x'"):
        layer.Linear(1, 1, step_mode="x")
    with pytest.raises(ValueError, match="at least one step"):
        layer.Linear(1, 1, step_mode="m")(torch.zeros(0, 2, 1))


@pytest.mark.parametrize("name", ["Conv2d", "BatchNorm2d", "MaxPool2d", "Upsample"])
def test_layer_keeps_channels_last(name):
    case = next(case for case in LAYERS if case.name == name)
    module = case.build("m").to(memory_format=torch.channels_last)
    x = case.inputs(STEPS, BATCH)[0]
    x_seq = x.flatten(0, 1).to(memory_format=torch.channels_last).unflatten(0, (STEPS, BATCH))
    unequal = torch.cat([x_seq, x_seq], 1).flatten(0, 1).to(memory_format=torch.channels_last)
    part = unequal.unflatten(0, (STEPS, 2 * BATCH))[:, :BATCH]
    static = x_seq[0].expand(STEPS, *x_seq.shape[1:])
    for sequence in (x_seq, part):
        y = module(sequence)
        assert y.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    assert module(static)[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"])
def test_transposed_convolution_takes_an_output_size(name):
    dims = int(name[-2])
    case = LayerCase(name, (2, 3, 2), (2, *[3] * dims), {"stride": 2})
    (x_seq,) = case.inputs(STEPS, BATCH)
    module, size = case.build("m"), [7, 6, 7][:dims]
    expected = case.build_torch()(x_seq.flatten(0, 1), output_size=size)
    for given in (size, [BATCH, 3, *size], (STEPS, BATCH, 3, *size)):
        assert torch.equal(module(x_seq, output_size=given).flatten(0, 1), expected)
        assert torch.equal(module(x_seq, given).flatten(0, 1), expected)
    assert torch.equal(case.build()(x_seq[0], output_size=size), expected[:BATCH])


@pytest.mark.parametrize("static", [True, False])
def test_max_unpool_inverts_in_both_modes(static):
    x = torch.rand(2, 3, 7, 5)
    x_seq = x.expand(4, *x.shape) if static else torch.rand(4, 2, 3, 7, 5)
    pool = layer.MaxPool2d(2, return_indices=True, step_mode="m")
    unpool = layer.MaxUnpool2d(2, step_mode="m")
    y_seq, indices = pool(x_seq)
    restored = unpool(y_seq, indices, output_size=x_seq.shape)
    assert restored.shape == x_seq.shape
    assert (restored.stride(0) == 0) is static
    assert torch.equal(restored.amax((-1, -2)), x_seq[..., :6, :4].amax((-1, -2)))
    functional.set_step_mode(pool, "s")
    functional.set_step_mode(unpool, "s")
    again = unpool(*pool(x_seq[1]), output_size=x.shape)
    assert torch.equal(again, restored[1])
    # A static input beside indices that change is not static.
    functional.set_step_mode(unpool, "m")
    other = torch.stack([pool(step)[1] for step in torch.rand(4, 2, 3, 7, 5)])
    assert unpool(y_seq[:1].expand_as(y_seq), other, output_size=x_seq.shape).stride(0) != 0


def test_layer_takes_keywords():
    x_seq = torch.rand(4, 2, 3)
    fc = layer.Linear(in_features=3, out_features=1, step_mode="m")
    assert torch.equal(fc(input=x_seq), fc(x_seq))


def test_user_layer_with_noise_is_not_computed_once():
    class Noise(layer.StatelessLayer, nn.Dropout):
        same_every_step = False

    noise = Noise(0.5, step_mode="m")
    y = noise(torch.ones(1, 64).expand(8, 1, 64))
    assert not torch.equal(y[0], y[1])


def test_backward_hooks_see_the_whole_static_sequence():
    fc, seen = layer.Linear(3, 2, step_mode="m"), []
    fc.register_full_backward_hook(lambda module, grad_in, grad_out: seen.append(grad_in[0].shape))
    x = torch.rand(2, 3, requires_grad=True)
    fc(x.expand(4, 2, 3)).sum().backward()
    assert seen == [(4, 2, 3)]
    torch.testing.assert_close(x.grad, 4 * fc.weight.detach().sum(0).expand(2, 3))


def test_layer_compiles_whole():
    net = nn.Sequential(
        layer.Conv2d(1, 2, 3), layer.BatchNorm2d(2), layer.MaxPool2d(2), layer.Flatten()
    )
    functional.set_step_mode(net, "m")
    x_seq = torch.rand(4, 3, 1, 6, 6)
    expected = copy.deepcopy(net)(x_seq)
    module = copy.deepcopy(net)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x_seq), expected)
    static = torch.compile(
        lambda x: module(x.expand(4, *x.shape)), backend="eager", fullgraph=True
    )
    torch.testing.assert_close(static(x_seq[0]), net(x_seq[:1].repeat(4, 1, 1, 1, 1)))


@pytest.mark.parametrize(
    "make", [lambda: layer.Linear(3, 3, True, "m"), lambda: layer.BatchNorm2d(3, device="s")]
)
def test_a_step_mode_by_position_is_refused(make):
    with pytest.raises(TypeError, match="step_mode of .* is given by name: write step_mode='m'"):
        make()

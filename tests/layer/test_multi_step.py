"""A model for one step, folded over a sequence, is the same as the loop over its steps."""

import copy
import threading
from collections import OrderedDict

import pytest
import torch
from torch import nn

from spikeframe import base, functional, layer, neuron, surrogate
from spikeframe.monitor import FiringRates

EXACT = {"rtol": 1e-10, "atol": 1e-10}


class Model(nn.Module):
    """Plain torch in the published style, of one step, but for the neurons."""

    def __init__(self, **options):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act1 = neuron.LIFNode(surrogate_function=surrogate.ATan(), **options)
        self.pool = nn.MaxPool2d(2)
        self.act2 = neuron.IFNode(**options)
        self.drop = layer.Dropout(0.3)
        self.fc = nn.Linear(36, 5)

    def forward(self, x):
        x = self.act1(self.norm(self.conv(x)))
        x = self.act2(self.pool(x) * 1.5) + 0.5 * self.pool(x)
        return self.fc(self.drop(torch.flatten(x, 1)))


class Accumulator(base.MemoryModule):
    """Adds up its inputs."""

    def __init__(self):
        super().__init__()
        self.register_memory("total", 0.0)

    def single_step_forward(self, x):
        self.total = self.total + x
        return self.total


def model(**options):
    torch.manual_seed(0)
    return Model(**options).double().eval()


def images(T=4, N=3, **options):
    generator = torch.Generator().manual_seed(1)
    shape = (T, N, 2, 6, 6)
    return 2 * torch.randn(shape, generator=generator, dtype=torch.float64, **options)


def stepped(net, x_seq):
    return torch.stack([net(x) for x in x_seq])


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_folded_model_equals_the_loop_over_steps(training):
    net = model()
    # Batch norm in training takes its statistics over T N samples: the documented exception.
    net.drop.train(training)
    folded, x_seq = layer.MultiStep(copy.deepcopy(net)), images()
    torch.manual_seed(2)
    expected = stepped(net, x_seq)
    torch.manual_seed(2)
    found = folded(x_seq)
    torch.testing.assert_close(found, expected, **EXACT)
    assert found.shape == (4, 3, 5)
    found.square().sum().backward()
    expected.square().sum().backward()
    for ours, reference in zip(folded.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, reference.grad, **EXACT)
    for ours, reference in zip(base.memories(folded), base.memories(net), strict=True):
        if reference is not None:
            torch.testing.assert_close(ours, reference, **EXACT)


def test_folded_model_in_both_step_modes_and_in_chunks():
    folded, x_seq = layer.MultiStep(model()), images()
    expected = folded(x_seq)
    functional.reset_net(folded)
    chunks = torch.cat([folded(x_seq[:1]), folded(x_seq[1:])])
    torch.testing.assert_close(chunks, expected, **EXACT)
    functional.reset_net(folded)
    functional.set_step_mode(folded, "s")
    assert folded.model.act1.step_mode == "s"
    torch.testing.assert_close(stepped(folded, x_seq), expected, **EXACT)


def test_training_takes_batch_statistics_over_time_and_batch():
    folded, plain = layer.MultiStep(model().train()), model().train()
    x_seq = images()
    folded(x_seq)
    plain.norm(plain.conv(x_seq.flatten(0, 1)))
    torch.testing.assert_close(folded.model.norm.running_var, plain.norm.running_var, **EXACT)
    assert folded.model.norm.num_batches_tracked == 1


def test_plain_layers_get_the_batch_and_neurons_run_whole_sequences():
    folded, shapes, calls = layer.MultiStep(model()), [], []
    folded.model.conv.register_forward_hook(lambda _, x, y: shapes.append(x[0].shape))
    folded.model.act1.register_forward_hook(lambda _, x, y: shapes.append(x[0].shape))
    multi_step = folded.model.act1.multi_step_forward
    folded.model.act1.multi_step_forward = lambda x: calls.append(x.shape) or multi_step(x)
    folded(images())
    assert shapes == [(12, 2, 6, 6), (12, 4, 6, 6)]
    assert calls == [(4, 3, 4, 6, 6)]
    assert folded.model.act1.step_mode == "s"


def test_modules_for_sequences_get_the_sequence():
    inner = nn.Sequential(layer.Linear(3, 3, step_mode="m"), neuron.IFNode(step_mode="m"))
    folded, x_seq = layer.MultiStep(inner), torch.rand(4, 2, 3)
    expected = copy.deepcopy(inner)(x_seq)
    assert torch.equal(folded(x_seq), expected)
    functional.set_step_mode(folded, "s")
    text = (
        r"MultiStep with step_mode 's' .* but these have 'm': model\.0 \(Linear\), model\.1 "
        r"\(IFNode\)\. Call functional\.set_step_mode\(module, 's'\)"
    )
    with pytest.raises(ValueError, match=text):
        folded(x_seq[0])
    functional.set_step_mode(folded.model, "s")
    functional.reset_net(folded)
    torch.testing.assert_close(stepped(folded, x_seq), expected)


def test_containers_and_nested_folds_change_nothing():
    x_seq = torch.rand(4, 2, 3)
    expected = x_seq.cumsum(0).cumsum(0)
    for inner in (
        layer.MultiStep(Accumulator()),
        layer.MultiStep(Accumulator(), step_mode="s"),
        layer.MultiStepContainer(Accumulator()),
        layer.StepModeContainer(True, Accumulator(), step_mode="m"),
    ):
        folded = layer.MultiStep(nn.Sequential(Accumulator(), inner))
        torch.testing.assert_close(folded(x_seq), expected)
    folding = layer.SeqToANNContainer(nn.Linear(3, 3))
    found = layer.MultiStep(nn.Sequential(folding))(x_seq)
    torch.testing.assert_close(found, folding(x_seq))


def test_inputs_and_outputs_of_any_structure():
    class Many(nn.Module):
        """Takes and gives tensors in containers."""

        def forward(self, x, pair, *, scale, flag):
            assert flag == "as it is"
            return OrderedDict(a=(x, [pair["y"]]), loss=(x * scale).sum(), none=None)

    x_seq, y_seq = torch.rand(4, 2, 3), torch.rand(4, 2, 5)
    scale = torch.ones(4, 2, 1)
    out = layer.MultiStep(Many())(x_seq, {"y": y_seq}, scale=scale, flag="as it is")
    assert type(out) is OrderedDict
    assert torch.equal(out["a"][0], x_seq)
    assert torch.equal(out["a"][1][0], y_seq)
    assert out["loss"].shape == ()
    assert out["none"] is None


def test_windows_of_the_batch_keep_their_time():
    """Parts of a sample in the batch, as windowed attention has them, are neurons of their own."""

    class Windows(nn.Module):
        def __init__(self):
            super().__init__()
            self.node = Accumulator()

        def forward(self, x):
            return self.node(x.reshape(-1, 3)).reshape(x.shape)

    x_seq = torch.rand(4, 2, 5, 3)
    torch.testing.assert_close(layer.MultiStep(Windows())(x_seq), x_seq.cumsum(0))


def test_channels_last_is_kept_and_not_copied():
    node = neuron.IFNode()
    folded = layer.MultiStep(nn.Sequential(nn.Identity(), node))
    x = torch.rand(8, 3, 5, 5).to(memory_format=torch.channels_last)
    seen = []
    node.register_forward_hook(lambda _, inputs, out: seen.append((inputs[0], out)))
    y_seq = folded(x.unflatten(0, (4, 2)))
    assert seen[0][0].data_ptr() == x.data_ptr()
    assert seen[0][1].is_contiguous(memory_format=torch.channels_last)
    assert y_seq.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_hooks_and_rates_see_every_sample_of_every_step():
    folded = layer.MultiStep(model())
    with FiringRates(folded) as rates:
        folded(images())
    functional.reset_net(folded)
    functional.set_step_mode(folded, "s")
    with FiringRates(folded) as by_step:
        stepped(folded, images())
    for left, right in zip(rates.layers(), by_step.layers(), strict=True):
        assert left.steps == right.steps == 12
        assert torch.equal(left.rates, right.rates)


def test_fold_ends_with_the_call_and_after_an_error():
    class Fails(nn.Module):
        def forward(self, x):
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        layer.MultiStep(Fails())(torch.rand(4, 2, 3))
    node = neuron.IFNode()
    layer.MultiStep(node)(torch.rand(4, 2, 3))
    assert node.v.shape == (2, 3)
    node.reset()
    assert node(torch.rand(4, 3)).shape == (4, 3)
    assert node.v.shape == (4, 3)


def test_a_failing_neuron_keeps_its_step_mode():
    node = neuron.IFNode()
    node.v = torch.zeros(7, 3)
    with pytest.raises(ValueError, match=r"IFNode 'model': v has shape \[7, 3\] but the input"):
        layer.MultiStep(node)(torch.rand(4, 2, 3))
    assert node.step_mode == "s"


def test_threads_fold_each_for_itself():
    inside, outside = threading.Event(), threading.Event()

    class Waits(nn.Module):
        """Stays in the fold until the other thread is done."""

        def forward(self, x):
            inside.set()
            assert outside.wait(20)
            return x

    folded = layer.MultiStep(nn.Sequential(Waits(), Accumulator()))
    results, x_seq = {}, torch.rand(4, 2, 3)
    thread = threading.Thread(target=lambda: results.update(folded=folded(x_seq)))
    thread.start()
    assert inside.wait(20)
    node = neuron.IFNode()
    node(x_seq[0])
    assert node.v.shape == (2, 3)
    outside.set()
    thread.join()
    torch.testing.assert_close(results["folded"], x_seq.cumsum(0))


def test_state_dict_copy_and_repr():
    folded = layer.MultiStep(model())
    assert list(folded.state_dict()) == [f"model.{key}" for key in model().state_dict()]
    twin = copy.deepcopy(folded)
    assert torch.equal(twin(images()), folded(images()))
    assert "step_mode=m" in repr(folded)


def test_fx_takes_our_modules_as_operations():
    net, x_seq = model(), images()
    traced = torch.fx.symbolic_trace(net)
    leaves = [node.target for node in traced.graph.nodes if node.op == "call_module"]
    assert leaves == ["conv", "norm", "act1", "pool", "act2", "pool", "drop", "fc"]
    expected = layer.MultiStep(net)(x_seq)
    functional.reset_net(net)
    torch.testing.assert_close(layer.MultiStep(traced)(x_seq), expected, **EXACT)
    outer = torch.fx.symbolic_trace(nn.Sequential(layer.MultiStep(net), layer.Linear(5, 2)))
    assert [node.target for node in outer.graph.nodes if node.op == "call_module"] == ["0", "1"]
    for alone in (layer.MultiStep(net), neuron.IFNode()):
        with pytest.raises(TypeError, match="is one operation to torch.fx.*a net that contains"):
            torch.fx.symbolic_trace(alone)


@pytest.mark.filterwarnings("ignore:.*autograd.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_compiled_fold_equals_eager(training):
    folded, compiled = layer.MultiStep(model()), layer.MultiStep(model())
    run = torch.compile(compiled, fullgraph=True, backend="aot_eager")
    with torch.set_grad_enabled(training):
        for _ in range(2):
            expected, found = folded(images()), run(images())
            torch.testing.assert_close(found, expected, **EXACT)
            functional.reset_net(folded)
            functional.reset_net(compiled)
    if training:
        for y in (expected, found):
            y.square().sum().backward()
        for ours, reference in zip(compiled.parameters(), folded.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, reference.grad, **EXACT)


def test_what_cannot_fold_says_so():
    folded = layer.MultiStep(nn.Linear(3, 3))
    with pytest.raises(ValueError, match=r"MultiStep with step_mode 'm' takes sequences \[T, N, "):
        folded(torch.rand(3))
    with pytest.raises(ValueError, match=r"takes sequences .*got tensors of shapes \[\]"):
        folded(input=None)
    with pytest.raises(ValueError, match=r"equal T and N, got .*\[\[4, 2, 3\], \[4, 1, 3\]\]"):
        layer.MultiStep(nn.Bilinear(3, 3, 2))(torch.rand(4, 2, 3), torch.rand(4, 1, 3))
    with pytest.raises(ValueError, match="same number of steps"):
        layer.MultiStep(nn.Bilinear(3, 3, 2))(torch.rand(4, 2, 3), torch.rand(3, 2, 3))
    with pytest.raises(ValueError, match="at least one step"):
        folded(torch.rand(0, 2, 3))
    with pytest.raises(TypeError, match="model must be an nn.Module, got function"):
        layer.MultiStep(lambda x: x)
    with pytest.raises(ValueError, match="step_mode must be 's' or 'm', got 'x'"):
        layer.MultiStep(nn.Linear(3, 3), "x")


def test_lost_time_is_found():
    class Swaps(nn.Module):
        """Puts the batch behind, as torch's sequence modules want it."""

        def __init__(self):
            super().__init__()
            self.node = neuron.IFNode()

        def forward(self, x):
            return self.node(x.transpose(0, 1)).transpose(0, 1)

    text = (
        r"IFNode 'model\.node' runs where time is folded into the batch \(layer\.MultiStep, T=4, "
        r"N=2\), so its input must be \[T N, \*\], first dimension 8 or a multiple of it, got "
        r"\[3, 8\]"
    )
    with pytest.raises(ValueError, match=text):
        layer.MultiStep(Swaps())(torch.rand(4, 2, 3))

    class Averages(nn.Module):
        def forward(self, x):
            return x.mean(0)

    text = r"folded T=4 steps of N=2 samples .* an output has shape \[3\]: .* belongs behind"
    with pytest.raises(ValueError, match=text):
        layer.MultiStep(Averages())(torch.rand(4, 2, 3))


def test_foreign_memories_are_announced():
    class Foreign(nn.Module):
        """Remembers, perhaps."""

        def reset(self):
            pass

    with pytest.warns(UserWarning, match=r"know nothing: 1 \(Foreign\)\. They have a reset"):
        layer.MultiStep(nn.Sequential(neuron.IFNode(), Foreign()))

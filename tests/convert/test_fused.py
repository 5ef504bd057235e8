"""Batch norm and neuron as one layer: the same numbers, one tensor kept."""

import copy
import pickle

import pytest
import torch
from resnet import resnet18
from torch import nn

from spikeframe import base, convert, functional, layer, memory, neuron, surrogate
from spikeframe.monitor import FiringRates


def lif(**options):
    return neuron.LIFNode(surrogate_function=surrogate.ATan(), detach_reset=True, **options)


def chain(make=lif, **options):
    torch.manual_seed(0)
    net = nn.Sequential(
        layer.Conv2d(2, 6, 3, padding=1, bias=False),
        layer.BatchNorm2d(6),
        make(**options),
        layer.Conv2d(6, 4, 3, bias=False),
        layer.BatchNorm2d(4),
        make(**options),
    )
    functional.set_step_mode(net, "m")
    return net


def images(*, T=4, dtype=torch.float32, like=torch.contiguous_format):
    generator = torch.Generator().manual_seed(1)
    x = 3 * torch.randn(T * 3, 2, 7, 5, generator=generator, dtype=dtype)
    return x.contiguous(memory_format=like).unflatten(0, (T, 3))


def trained(net, x_seq, calls=2):
    """All that training shows: outputs, gradients, states and buffers."""
    found = []
    for _ in range(calls):
        x = x_seq.clone().requires_grad_()
        y = net(x)
        weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
        (y * weights).sum().backward()
        found += [y.detach(), x.grad]
        functional.detach_net(net)
    found += [p.grad for p in net.parameters()]
    return found + list(base.memories(net)) + list(net.buffers())


def equal(net, expected_of, x_seq):
    for ours, reference in zip(trained(net, x_seq), trained(expected_of, x_seq), strict=True):
        assert torch.equal(ours, reference)


MAKES = {
    "hard": lif,
    "soft": lambda: neuron.LIFNode(v_reset=None, surrogate_function=surrogate.Sigmoid()),
    "learned": lambda: neuron.ParametricLIFNode(surrogate_function=surrogate.ATan()),
    "ternary": neuron.TernaryLIFNode,
    "reset value": lambda: lif(v_reset=-0.5),
    "per channel": lambda: neuron.IFNode(v_threshold=torch.full((1, 1, 1), 0.7)),
}


@pytest.mark.parametrize("backend", ["auto", "torch"])
@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_fused_equals_norm_then_neuron(make, backend):
    net = chain(make)
    functional.set_backend(net, backend)
    fused = convert.fuse(copy.deepcopy(net))
    assert [type(fused[i]) for i in (1, 4)] == [memory.NormNeuron] * 2
    assert fused[1].why_not(images().requires_grad_()) is None
    equal(fused, net, images())


@pytest.mark.parametrize("like", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("T", [1, 4, 70])
def test_layouts_and_long_sequences(like, T):
    net = chain()
    equal(convert.fuse(copy.deepcopy(net)), net, images(T=T, like=like))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_precisions(dtype):
    net = chain().to(dtype)
    equal(convert.fuse(copy.deepcopy(net)), net, images(dtype=dtype))


def test_a_static_image_is_normalised_once():
    net = chain()
    fused = convert.fuse(copy.deepcopy(net))
    x = images()[0]
    results = []
    for each in (net, fused):
        image = x.clone().requires_grad_()
        y = each(image.expand(4, *image.shape))
        y.sum().backward()
        results.append([y, image.grad, *[p.grad for p in each.parameters()], *each.buffers()])
    for ours, reference in zip(*results, strict=True):
        assert torch.equal(ours, reference)


def test_autocast():
    net = chain()
    with torch.autocast("cpu", torch.bfloat16):
        equal(convert.fuse(copy.deepcopy(net)), net, images())


def test_without_affine_and_with_gradients_of_states():
    def run(block):
        v = torch.full((3, 5), 0.3, requires_grad=True)
        x = torch.linspace(-2, 3, 60).view(4, 3, 5).requires_grad_()
        base.load_memories(block, [v])
        y = block(x)
        (y.sum() + next(base.memories(block)).square().sum()).backward()
        return v.grad, x.grad

    pair = (layer.BatchNorm1d(5, affine=False, step_mode="m"), lif(step_mode="m"))
    for ours, reference in zip(
        run(memory.NormNeuron(*pair)), run(nn.Sequential(*pair)), strict=True
    ):
        assert torch.equal(ours, reference)
        assert ours.any()


def test_only_the_input_is_kept():
    net = chain()
    x_seq = images().requires_grad_()
    fused = convert.fuse(copy.deepcopy(net))
    outputs = 4 * 3 * (6 * 35 + 4 * 15)
    inputs = 4 * 3 * 6 * 35  # of the second convolution
    per_channel = 2 * (6 + 4)
    assert memory.report(net, x_seq).bytes == 4 * (2 * outputs + inputs + per_channel)
    assert memory.report(fused, x_seq).bytes == 4 * (outputs + inputs + per_channel)
    with memory.packed_spikes():
        kept = memory.report(fused, x_seq)
        assert kept.bytes == 4 * (outputs + per_channel) + inputs // 8
    assert {"1", "4"} <= {row.name for row in kept.layers}
    assert trained(fused, x_seq.detach())


def test_bits_around_it_change_nothing():
    net = chain()
    fused = convert.fuse(copy.deepcopy(net))
    with memory.packed_spikes():
        equal(fused, net, images())


def test_inside_a_checkpoint_it_is_plain():
    net = chain()
    cheap = nn.Sequential(memory.Checkpointed(*convert.fuse(copy.deepcopy(net))))
    equal(cheap, net, images())


@pytest.mark.parametrize("way", ["folded", "converted"])
def test_a_residual_net(way):
    torch.manual_seed(0)
    net = convert.replace_activations(
        resnet18(num_classes=3, in_channels=2, width=4), nn.ReLU, lif
    )
    net = layer.MultiStep(net) if way == "folded" else convert.to_layers(net, "m")
    x_seq = 2 * torch.randn(3, 2, 2, 16, 16)
    fused = convert.fuse(copy.deepcopy(net))
    found = [name for name, m in fused.named_modules() if isinstance(m, memory.NormNeuron)]
    assert len(found) == 9  # the stem, and the first norm of each block
    equal(fused, net, x_seq)
    assert memory.report(fused, x_seq).bytes < memory.report(net, x_seq).bytes


def test_unfuse_gives_the_net_back():
    net = chain()
    keys, modules = list(net.state_dict()), list(net.modules())
    convert.fuse(net)
    assert list(net.state_dict()) != keys
    with pytest.raises(AttributeError):
        net[2].v  # noqa: B018
    convert.unfuse(net)
    assert list(net.state_dict()) == keys
    assert list(net.modules()) == modules
    assert convert.unfuse(net) is net


def test_fused_net_is_copied_and_pickled():
    net = convert.fuse(chain())
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert convert.unfuse(twin)[2] is not net[1].neuron
        assert isinstance(twin[2], neuron.LIFNode)


class Hooked(neuron.BaseNode):
    """Cannot be traced."""

    def neuronal_charge(self, x):
        self.v = self.v + x - self.v.mean()


class Between(nn.Module):
    """Somebody else sees the norm's output."""

    def __init__(self):
        super().__init__()
        self.norm, self.act = layer.BatchNorm1d(3), lif()

    def forward(self, x):
        y = self.norm(x)
        return self.act(y) + y


class Twice(Between):
    """One norm serves twice."""

    def forward(self, x):
        return self.act(self.norm(x)) + self.norm(x)


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (nn.Sequential(layer.BatchNorm1d(3), Hooked()), "0 and 1: .*mean"),
        (Between(), "norm and act: something else takes the output of norm, too"),
        (Twice(), "norm and act: norm is called more than once"),
        (nn.Sequential(nn.SyncBatchNorm(3), lif()), "SyncBatchNorm is no batch norm of torch's"),
    ],
    ids=["lines", "between", "twice", "sync"],
)
def test_what_stays_says_why(net, reason):
    kinds = [type(m) for m in net.modules()]
    with pytest.warns(UserWarning, match=rf"fuse leaves these as they are \(.*{reason}"):
        convert.fuse(net)
    assert [type(m) for m in net.modules()] == kinds


def test_nothing_to_fuse_raises():
    with pytest.raises(ValueError, match="Sequential has no batch norm on whose output a neuron"):
        convert.fuse(nn.Sequential(nn.Linear(2, 2), lif()))
    with pytest.raises(TypeError, match="net must be an nn.Module, got list"):
        convert.fuse([])
    with pytest.raises(TypeError, match="net must be an nn.Module, got list"):
        convert.unfuse([])
    with pytest.raises(ValueError, match="Linear is no batch norm .*: NormNeuron takes"):
        memory.NormNeuron(nn.Linear(2, 2), lif())
    with pytest.raises(ValueError, match="ReLU is no neuron that can be traced"):
        memory.NormNeuron(nn.BatchNorm1d(2), nn.ReLU())


def evaluated(block):
    block.eval()


def hooked(block):
    block.norm.register_forward_hook(lambda *_: None)


def stepped(block):
    functional.set_step_mode(block, "s")


def stored(block):
    block.neuron.store_v_seq = True


def eager(block):
    block.neuron.backend = "eager"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (evaluated, "BatchNorm1d is in eval mode"),
        (hooked, "BatchNorm1d has hooks"),
        (stepped, "LIFNode has step_mode 's'"),
        (stored, "LIFNode keeps the sequences of v"),
        (eager, "LIFNode has backend 'eager'"),
    ],
)
def test_a_call_that_cannot_is_plain_and_tells(change, reason):
    block = memory.NormNeuron(layer.BatchNorm1d(5), lif())
    functional.set_step_mode(block, "m")
    change(block)
    x = torch.linspace(-2, 3, 60).view(4, 3, 5).requires_grad_()
    x = x[0] if block.neuron.step_mode == "s" else x
    assert block.why_not(x).startswith(reason)
    pair = nn.Sequential(copy.deepcopy(block.norm), copy.deepcopy(block.neuron))
    equal(block, pair, x.detach())


def test_reasons_of_the_moment():
    block = memory.NormNeuron(layer.BatchNorm1d(5), lif())
    functional.set_step_mode(block, "m")
    x_seq = torch.rand(4, 3, 5)
    with torch.no_grad():
        assert block.why_not(x_seq) == "no gradient is wanted"
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x):
        assert block.why_not(x_seq).startswith("hooks on what is saved")
    lengths = torch.tensor([4, 2, 1])
    pair = nn.Sequential(copy.deepcopy(block.norm), copy.deepcopy(block.neuron))
    y = functional.variable_length_forward(block, x_seq, lengths)
    assert torch.equal(y, functional.variable_length_forward(pair, x_seq, lengths))


def test_a_failing_call_leaves_the_state_as_it_was():
    block = memory.NormNeuron(layer.BatchNorm1d(5), lif(v_threshold=torch.ones(7)))
    functional.set_step_mode(block, "m")
    with pytest.raises(ValueError, match="v_threshold has shape"):
        block(torch.rand(4, 3, 5, requires_grad=True))
    assert block.neuron.v == 0.0
    block.neuron.v_threshold = 1.0
    block(torch.rand(4, 2, 5, requires_grad=True)).sum().backward()
    with pytest.raises(ValueError, match=r"v has shape \[2, 5\] but .*reset_net"):
        block(torch.rand(4, 3, 5, requires_grad=True))
    assert block.neuron.v.shape == (2, 5)


def test_an_input_changed_in_place_is_noticed():
    block = memory.NormNeuron(layer.BatchNorm1d(5), lif())
    functional.set_step_mode(block, "m")
    x = torch.rand(4, 3, 5, requires_grad=True) * 1
    y = block(x)
    x.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.filterwarnings("ignore:.*autograd.*should not be instantiated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_it_compiles_whole():
    net, twin = chain().double(), convert.fuse(chain().double())
    compiled = torch.compile(twin, fullgraph=True, backend="aot_eager")
    results = []
    for each, run in ((net, net), (twin, compiled)):
        x = images(dtype=torch.float64).requires_grad_()
        y = run(x)
        y.square().sum().backward()
        results.append([y, x.grad, *[p.grad for p in each.parameters()]])
    for ours, reference in zip(*results, strict=True):
        torch.testing.assert_close(ours, reference)
    torch.compiler.reset()


def test_it_is_one_operation_to_torch_fx():
    net = convert.fuse(chain())
    x_seq = images()
    traced = torch.fx.symbolic_trace(net)
    expected = net(x_seq)
    functional.reset_net(net)
    assert torch.equal(traced(x_seq), expected)


def test_firing_rates_are_seen_inside():
    net = convert.fuse(chain())
    with FiringRates(net) as rates:
        spikes = net(images())
    assert [row.name for row in rates.layers()] == ["1.neuron", "4.neuron"]
    assert rates.layers()[1].mean == pytest.approx(spikes.mean().item())

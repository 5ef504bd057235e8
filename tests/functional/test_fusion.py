"""Batch norms become part of convolutions where nothing else would notice."""

import pytest
import torch
from layers import LAYERS
from resnet import resnet18
from torch import nn

from spikeframe import convert, functional, layer, neuron


def randomise(net):
    torch.manual_seed(0)
    for module in net.modules():
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            if tensor.is_floating_point():
                tensor.data.uniform_(0.1, 1.1)
    return net.double().eval()


def norms(net):
    return [
        name for name, m in net.named_modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d)
    ]


CONVS = [case for case in LAYERS if case.name.startswith("Conv")]


@pytest.mark.parametrize("case", CONVS, ids=str)
@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_every_convolution_takes_its_norm(case, step_mode):
    conv = case.build(step_mode)
    kind = getattr(layer, f"BatchNorm{case.name[-2:]}")
    net = randomise(nn.Sequential(conv, kind(conv.out_channels, step_mode=step_mode)))
    x = case.inputs(*((3, 2) if step_mode == "m" else (2,)))[0]
    fused = functional.fuse_conv_bn_eval_modules(net)
    torch.testing.assert_close(fused(x), net(x))
    assert type(fused[1]) is nn.Identity
    assert type(fused[0]) is type(conv)
    assert (fused[0].step_mode, type(net[1])) == (step_mode, kind)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda net: net,
        lambda net: convert.replace_activations(net, nn.ReLU, lambda: neuron.LIFNode(1.5)),
        lambda net: nn.Sequential(layer.MultiStep(net, step_mode="s")),
        lambda net: convert.to_layers(net),
    ],
    ids=["relu", "spiking", "folded", "converted"],
)
def test_a_residual_net_has_no_norm_left(wrap):
    net = wrap(randomise(resnet18(num_classes=3, in_channels=1, width=2)))
    fused = functional.fuse_conv_bn_eval_modules(net)
    assert len(norms(net)) == 20
    assert norms(fused) == []
    x = torch.rand(2, 1, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(fused(x), net(x))


class Shared(nn.Module):
    """Its convolution is seen by more than its norm."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)

    def forward(self, x):
        y = self.conv(x)
        return self.norm(y) + y


class Twice(Shared):
    """Calls its convolution twice."""

    def forward(self, x):
        return self.norm(self.conv(x)) + self.conv(x)


class Branches(Shared):
    """Has code that cannot be followed around a chain that can."""

    def __init__(self):
        super().__init__()
        self.chain = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))

    def forward(self, x):
        x = self.norm(self.conv(x))
        return self.chain(x) if x.sum() > 0 else x


@pytest.mark.parametrize(
    ("net", "left"),
    [
        (Shared(), ["norm"]),
        (Twice(), ["norm"]),
        (Branches(), ["norm"]),
        (nn.Sequential(layer.WSConv2d(1, 2, 2), nn.BatchNorm2d(2)), ["1"]),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.BatchNorm2d(2)), ["2"]),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, track_running_stats=False)), ["1"]),
        (
            nn.Sequential(
                nn.Conv2d(1, 2, 1), layer.TemporalEffectiveBatchNorm2d(9, 2, step_mode="s")
            ),
            ["1"],
        ),
        (
            nn.Sequential(
                nn.Conv2d(1, 2, 1), layer.ThresholdDependentBatchNorm2d(1, 2, 2, step_mode="s")
            ),
            [],
        ),
        (
            nn.Sequential(
                torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 2, 1)), nn.BatchNorm2d(2)
            ),
            ["1"],
        ),
    ],
    ids=[
        "shared",
        "twice",
        "branches",
        "standardised",
        "apart",
        "untracked",
        "effective",
        "threshold",
        "parametrised",
    ],
)
def test_what_is_left_and_what_is_computed(net, left):
    net = randomise(net)
    x = torch.rand(3, 1, 4, 4, dtype=torch.float64)
    fused = functional.fuse_conv_bn_eval_modules(net)
    assert norms(fused) == left
    torch.testing.assert_close(fused(x), net(x))


def test_training_is_refused():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    with pytest.raises(ValueError, match=r"BatchNorm2d '1' is in training mode, .* net\.eval\(\)"):
        functional.fuse_conv_bn_eval_modules(net)
    with pytest.raises(TypeError, match="net must be an nn.Module, got list"):
        functional.fuse_conv_bn_eval_modules([net])

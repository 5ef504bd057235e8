"""Small nets in the ways that published ones use SpikingJelly: by step, folded by hand, in layers.

Each is of its kind in how it calls the library, and in nothing else.
"""

import torch
from torch import nn

from spikeframe.compat.spikingjelly.activation_based import functional, layer, neuron, surrogate
from spikeframe.compat.spikingjelly.cext.neuron import MultiStepIFNode as ExtensionIFNode
from spikeframe.compat.spikingjelly.clock_driven import layer as old_layer
from spikeframe.compat.spikingjelly.clock_driven import neuron as old_neuron
from spikeframe.compat.spikingjelly.clock_driven.neuron import (
    MultiStepIFNode,
    MultiStepLIFNode,
    MultiStepParametricLIFNode,
)

__all__ = ["MODELS"]


class HandFolded(nn.Module):
    """Convolution and batch norm over T * N, a neuron over T: Spikformer's patch splitting."""

    def __init__(self, channels, dim):
        super().__init__()
        self.conv = nn.Conv2d(channels, dim, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(dim)
        self.lif = MultiStepLIFNode(tau=2.0, detach_reset=True, backend="cupy")
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        T, B, _, H, W = x.shape
        x = self.bn(self.conv(x.flatten(0, 1))).reshape(T, B, -1, H, W).contiguous()
        x = self.pool(self.lif(x).flatten(0, 1))
        return x.reshape(T, B, -1, H // 2, W // 2)


class Projection(nn.Module):
    """A linear layer with batch norm over channels and a neuron, on [T, B, N, C]."""

    def __init__(self, dim, v_threshold=1.0):
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.bn = nn.BatchNorm1d(dim)
        self.lif = MultiStepLIFNode(
            tau=2.0, v_threshold=v_threshold, detach_reset=True, backend="cupy"
        )

    def forward(self, x):
        T, B, N, C = x.shape
        x = self.linear(x.flatten(0, 1))
        x = self.bn(x.transpose(-1, -2)).transpose(-1, -2).reshape(T, B, N, C).contiguous()
        return self.lif(x)


class SelfAttention(nn.Module):
    """Spikformer's attention without softmax."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.proj = (Projection(dim) for _ in range(4))
        self.attn_lif = MultiStepLIFNode(
            tau=2.0, v_threshold=0.5, detach_reset=True, backend="cupy"
        )

    def forward(self, x):
        T, B, N, C = x.shape
        q, k, v = (
            made(x).reshape(T, B, N, self.heads, C // self.heads).permute(0, 1, 3, 2, 4)
            for made in (self.q, self.k, self.v)
        )
        x = (q @ k.transpose(-2, -1)) @ v * 0.25
        x = self.attn_lif(x.transpose(2, 3).reshape(T, B, N, C).contiguous())
        return x + self.proj(x)


class TokenAttention(nn.Module):
    """QKFormer's: a neuron over the sum of a query's channels gates the keys."""

    def __init__(self, dim):
        super().__init__()
        self.q, self.k = Projection(dim), Projection(dim)
        self.gate = MultiStepLIFNode(tau=2.0, v_threshold=0.5, detach_reset=True, backend="cupy")

    def forward(self, x):
        gate = self.gate(self.q(x).sum(dim=-1, keepdim=True))
        return x + gate.mul(self.k(x))


class Transformer(nn.Module):
    """Spikformer, or QKFormer: repeats an image, averages the tokens, sums over time."""

    def __init__(self, attention, classes=5, dim=16):
        super().__init__()
        self.T = 4
        self.splitting = nn.Sequential(HandFolded(2, 8), HandFolded(8, dim))
        self.block = attention(dim)
        self.head = nn.Linear(dim, classes)
        self.apply(self._init)

    def _init(self, m):
        if isinstance(m, nn.Linear):
            nn.init.trunc_normal_(m.weight, std=0.2)

    def forward(self, x):
        x = self.splitting(x.unsqueeze(0).repeat(self.T, 1, 1, 1, 1))
        x = self.block(x.flatten(3).transpose(-1, -2))
        return self.head(x.mean(2)).mean(0)


class MembraneShortcut(nn.Module):
    """Spike-Driven-Transformer's: neurons before the layers, shortcuts between potentials."""

    def __init__(self, classes=5, dim=12):
        super().__init__()
        self.stem = nn.Conv2d(2, dim, 3, padding=1)
        self.lifs = nn.ModuleList(
            MultiStepParametricLIFNode(init_tau=2.0, detach_reset=True, backend="cupy")
            for _ in range(2)
        )
        self.convs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(dim, dim, 1, bias=False), nn.BatchNorm2d(dim))
            for _ in range(2)
        )
        self.head_lif = MultiStepLIFNode(tau=2.0, detach_reset=True, backend="cupy")
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        x = x.unsqueeze(0).repeat(4, 1, 1, 1, 1)
        T, B = x.shape[:2]
        x = self.stem(x.flatten(0, 1)).reshape(T, B, -1, *x.shape[3:]).contiguous()
        for lif, conv in zip(self.lifs, self.convs, strict=True):
            identity = x
            x = conv(lif(x).flatten(0, 1)).reshape(identity.shape) + identity
        x = self.head_lif(x.flatten(3).mean(3))
        return self.head(x).mean(0)


class SpikeElementWise(nn.Module):
    """SEW-ResNet's block: containers that fold, ADD after the neuron."""

    def __init__(self, node):
        super().__init__()
        self.conv1 = old_layer.SeqToANNContainer(
            nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        )
        self.sn1 = node()
        self.conv2 = old_layer.SeqToANNContainer(
            nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        )
        self.sn2 = node()

    def forward(self, x):
        return self.sn2(self.conv2(self.sn1(self.conv1(x)))) + x


class SpikeElementWiseNet(nn.Module):
    """SEW-ResNet: the first layer sees the image once."""

    def __init__(self, node, classes=5):
        super().__init__()
        self.T = 4
        self.conv = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
        self.sn = node()
        self.block = SpikeElementWise(node)
        self.pool = old_layer.SeqToANNContainer(nn.AdaptiveAvgPool2d(1))
        self.fc = nn.Linear(8, classes)
        nn.init.zeros_(self.block.conv2[1].bias)

    def forward(self, x):
        x = self.conv(x).unsqueeze(0).repeat(self.T, 1, 1, 1, 1)
        x = self.pool(self.block(self.sn(x))).flatten(2)
        return self.fc(x.mean(dim=0))


class ParametricNet(nn.Module):
    """PLIF's: steps in a loop, dropout held over them, ten neurons vote for a class."""

    def __init__(self, classes=5):
        super().__init__()
        self.static = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
        self.conv = nn.Sequential(parametric_node(), nn.MaxPool2d(2))
        self.fc = nn.Sequential(
            nn.Flatten(),
            old_layer.Dropout(0.25),
            nn.Linear(8 * 4 * 4, 10 * classes, bias=False),
            parametric_node(),
        )
        self.boost = nn.AvgPool1d(10, 10)
        # Else nothing fires before the first epoch.
        nn.init.constant_(self.static[1].weight, 3.0)
        nn.init.normal_(self.fc[2].weight, std=0.3)

    def forward(self, x):
        x = self.static(x)
        out = self.boost(self.fc(self.conv(x)).unsqueeze(1)).squeeze(1)
        for _ in range(1, 4):
            out = out + self.boost(self.fc(self.conv(x)).unsqueeze(1)).squeeze(1)
        return out / 4


class EfficientlyTrained(nn.Module):
    """TET's: batch norm that knows the threshold; every step has scores of its own."""

    per_step = True

    def __init__(self, classes=5):
        super().__init__()
        self.features = nn.Sequential(
            old_layer.SeqToANNContainer(nn.Conv2d(2, 8, 3, padding=1)),
            old_layer.MultiStepThresholdDependentBatchNorm2d(1.0, 1.0, 8),
            MultiStepIFNode(v_threshold=1.0, surrogate_function=surrogate.ATan()),
            old_layer.SeqToANNContainer(nn.AvgPool2d(2), nn.Flatten()),
            old_layer.MultiStepDropout(0.2),
            old_layer.SeqToANNContainer(nn.Linear(8 * 4 * 4, classes)),
        )

    def forward(self, x):
        return self.features(x.unsqueeze(0).repeat(4, 1, 1, 1, 1))


class WithoutGaps(nn.Module):
    """A net of ``activation_based``: modes and backend set from outside, potentials read out."""

    def __init__(self, classes=5):
        super().__init__()
        lif = {"tau": 2.0, "surrogate_function": surrogate.ATan(), "detach_reset": True}
        self.net = nn.Sequential(
            layer.Conv2d(2, 8, 3, padding=1, bias=False),
            layer.BatchNorm2d(8),
            neuron.LIFNode(**lif),
            layer.MaxPool2d(2),
            layer.Flatten(),
            layer.Linear(8 * 4 * 4, 32),
            neuron.LIFNode(**lif),
            layer.SynapseFilter(tau=10.0),
            layer.Linear(32, classes),
            neuron.LIFNode(tau=2.0, v_threshold=float("inf"), store_v_seq=True),
        )
        functional.set_step_mode(self, step_mode="m")
        functional.set_backend(self, "torch", instance=neuron.LIFNode)

    def forward(self, x):
        self.net(x.unsqueeze(0).repeat(4, 1, 1, 1, 1))
        return self.net[-1].v_seq.mean(0)


class Delayed(nn.Module):
    """A net for SHD with delays: dropout and filters for sequences, a threshold out of reach."""

    def __init__(self, classes=5):
        super().__init__()
        self.model = nn.Sequential(
            layer.Linear(2 * 8 * 8, 24, bias=False),
            layer.BatchNorm1d(24, step_mode="m"),
            neuron.LIFNode(
                tau=1.5,
                v_threshold=0.5,
                surrogate_function=surrogate.ATan(alpha=5.0),
                detach_reset=False,
                step_mode="m",
                decay_input=False,
                store_v_seq=True,
            ),
            layer.Dropout(0.1, step_mode="m"),
            layer.SynapseFilter(tau=2.0, learnable=True, step_mode="m"),
            layer.Delay(1, step_mode="m"),
            layer.Linear(24, classes, step_mode="m"),
            neuron.LIFNode(tau=1.5, v_threshold=1e9, step_mode="m", store_v_seq=True),
        )

    def forward(self, x):
        x = x.flatten(1).unsqueeze(0).repeat(5, 1, 1)
        self.model(x)
        return torch.softmax(self.model[-1].v_seq, 2).sum(0)


def if_node():
    return MultiStepIFNode(detach_reset=True, surrogate_function=surrogate.ATan(), backend="cupy")


def parametric_node():
    return old_neuron.ParametricLIFNode(
        init_tau=2.0, surrogate_function=surrogate.ATan(), detach_reset=True
    )


def extension_node():
    return ExtensionIFNode(v_threshold=0.8, detach_reset=True)


MODELS = {
    "Spikformer": lambda: Transformer(lambda dim: SelfAttention(dim, heads=4)),
    "QKFormer": lambda: Transformer(TokenAttention),
    "Spike-Driven-Transformer": MembraneShortcut,
    "SEW-ResNet": lambda: SpikeElementWiseNet(if_node),
    "SEW-ResNet, cext": lambda: SpikeElementWiseNet(extension_node),
    "PLIF": ParametricNet,
    "TET": EfficientlyTrained,
    "activation_based": WithoutGaps,
    "SHD with delays": Delayed,
}

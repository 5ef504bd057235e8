"""The networks, each of any kit's layers, with parameters in one order: weights carry over.

Their stateless parts read the last dimensions only: a sequence [T, N, *] and a step [N, *] go
through the same lines.
"""

import torch
from torch import Tensor, nn

from .kits import Kit

__all__ = ["conv_net", "mlp", "recurrent_net", "sew_resnet18", "spikformer", "vgg9"]


def mlp(kit: Kit) -> nn.Module:
    """784-1000-10."""
    make = kit.layers
    return nn.Sequential(
        make.Flatten(), make.Linear(784, 1000), kit.lif(), make.Linear(1000, 10), kit.lif()
    )


def conv_net(kit: Kit) -> nn.Module:
    """Conv-BN-LIF-Pool twice, of 32 channels, on 28 x 28."""
    make = kit.layers
    stages = [*_stage(kit, 1, 32), make.MaxPool2d(2), *_stage(kit, 32, 32), make.MaxPool2d(2)]
    return nn.Sequential(*stages, make.Flatten(), make.Linear(32 * 7 * 7, 10))


def vgg9(kit: Kit) -> nn.Module:
    """Seven convolutions and two linear layers, on 3 x 32 x 32."""
    make, width = kit.layers, 3
    parts: list[nn.Module] = []
    for channels in ((64, 64), (128, 128), (256, 256, 256)):
        for out in channels:
            parts += _stage(kit, width, out)
            width = out
        parts.append(make.MaxPool2d(2))
    parts += [make.Flatten(), make.Linear(256 * 16, 1024), kit.lif(), make.Linear(1024, 10)]
    return nn.Sequential(*parts)


def sew_resnet18(kit: Kit) -> nn.Module:
    """Spike-element-wise ResNet-18 with ADD, for 3 x 64 x 64."""
    make, width = kit.layers, 64
    parts: list[nn.Module] = _stage(kit, 3, width)
    for out, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        parts += [_Block(kit, width, out, stride), _Block(kit, out, out, 1)]
        width = out
    return nn.Sequential(*parts, make.AvgPool2d(8), make.Flatten(), make.Linear(512, 10))


def recurrent_net(kit: Kit) -> nn.Module:
    """700-256-20 with dense recurrence."""
    make = kit.layers
    parts = (make.Linear(700, 256, bias=False), kit.recurrent(256), make.Linear(256, 20))
    return nn.Sequential(*parts, kit.lif())


def spikformer(kit: Kit) -> nn.Module:
    """Two blocks of 256 channels and 8 heads, on 3 x 32 x 32 in 64 patches."""
    make = kit.layers
    patches = [
        *_stage(kit, 3, 64),
        *_stage(kit, 64, 128),
        make.MaxPool2d(2),
        *_stage(kit, 128, 256),
        make.MaxPool2d(2),
    ]
    blocks = [_Attention(kit, 256, 8), _Mixer(kit, 256), _Attention(kit, 256, 8), _Mixer(kit, 256)]
    return nn.Sequential(
        *patches, *blocks, make.AvgPool2d(8), make.Flatten(), make.Linear(256, 10)
    )


def _stage(kit: Kit, width: int, out: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    """Convolution, norm, neuron."""
    conv = kit.layers.Conv2d(width, out, size, stride=stride, padding=size // 2, bias=False)
    return [conv, kit.layers.BatchNorm2d(out), kit.lif()]


class _Block(nn.Module):
    """Two convolutions beside an identity; spikes are added."""

    def __init__(self, kit: Kit, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_stage(kit, width, out, 3, stride), *_stage(kit, out, out))
        same = width == out and stride == 1
        self.beside = nn.Identity() if same else nn.Sequential(*_stage(kit, width, out, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        spikes: Tensor = self.body(x) + self.beside(x)
        return spikes


class _Attention(nn.Module):
    """Spiking self-attention: no softmax, for queries, keys and values are spikes."""

    def __init__(self, kit: Kit, width: int, heads: int) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (
            nn.Sequential(*_stage(kit, width, width, 1)) for _ in range(4)
        )
        self.lif = kit.lif(threshold=0.5)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        """Of [*, C, H, W]."""
        query, key, value = (
            part(x).flatten(-2).unflatten(-2, (self.heads, -1)).transpose(-2, -1)
            for part in (self.query, self.key, self.value)
        )
        mixed = torch.matmul(query, torch.matmul(key.transpose(-2, -1), value)) * 0.125
        spikes = self.lif(mixed.transpose(-2, -1).reshape(x.shape).contiguous())
        attended: Tensor = x + self.out(spikes)
        return attended


class _Mixer(nn.Module):
    """Two layers that mix channels."""

    def __init__(self, kit: Kit, width: int) -> None:
        super().__init__()
        wider = 4 * width
        self.body = nn.Sequential(*_stage(kit, width, wider, 1), *_stage(kit, wider, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = x + self.body(x)
        return mixed

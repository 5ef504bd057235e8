"""The stateless layers under test: class, constructor arguments, shape of one step per sample."""

from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from spikeframe import layer

__all__ = ["LAYERS", "NORMS", "LayerCase"]


@dataclass(frozen=True)
class LayerCase:
    """One layer, and what it is fed."""

    name: str
    args: tuple
    shape: tuple[int, ...]
    kwargs: dict = field(default_factory=dict)
    unbatched: bool = True
    note: str = ""

    def __str__(self):
        return self.name + (f"-{self.note}" if self.note else "")

    def build(self, step_mode="s", dtype=torch.float64):
        """Ours, with parameters and statistics unlike their initial values."""
        return self._randomise(getattr(layer, self.name), dtype, step_mode=step_mode)

    def build_torch(self, dtype=torch.float64):
        """torch's, with the same parameters as :meth:`build`'s."""
        return self._randomise(getattr(nn, self.name), dtype)

    def inputs(self, *lead, dtype=torch.float64, seed=1):
        """The inputs [\\*lead, \\*shape], of which the first takes gradients."""
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(*lead, *self.shape, generator=generator, dtype=torch.float64).to(dtype)
        if "Unpool" not in self.name:
            return (x,)
        double = torch.randn(*lead, *(2 * n for n in self.shape), generator=generator)
        flat = double.flatten(0, max(len(lead) - 1, 0)) if lead else double
        pool = getattr(F, f"max_pool{self.name[-2:]}")
        # Of channels [C, *], doubled too: the first half of them is as good as any.
        indices = pool(flat, 2, return_indices=True)[1]
        indices = indices.narrow(-len(self.shape), 0, self.shape[0])
        return x, indices.reshape(*lead, *self.shape)

    def _randomise(self, cls, dtype, **kwargs):
        module = cls(*self.args, **self.kwargs, **kwargs).to(dtype)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for tensor in (*module.parameters(), *module.buffers()):
                if tensor.is_floating_point():
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
        return module


LAYERS = [
    LayerCase("Conv1d", (3, 5, 3), (3, 7), {"padding": 1, "padding_mode": "circular"}),
    LayerCase("Conv2d", (3, 5, 3), (3, 7, 6), {"padding": "same", "bias": False}),
    LayerCase("Conv2d", (4, 6, (3, 1), 2, 1, 1, 2), (4, 7, 5), note="grouped"),
    LayerCase("Conv3d", (2, 3, 2), (2, 3, 5, 4)),
    LayerCase("ConvTranspose1d", (3, 5, 3), (3, 7), {"stride": 2}),
    LayerCase("ConvTranspose2d", (3, 5, 3), (3, 5, 4), {"stride": 2, "output_padding": 1}),
    LayerCase("ConvTranspose3d", (2, 3, 2), (2, 3, 3, 4)),
    LayerCase("Linear", (7, 5), (7,)),
    LayerCase("Linear", (7, 5, False), (3, 1, 7), unbatched=False, note="inner"),
    LayerCase("Flatten", (), (3, 5, 1), unbatched=False),
    LayerCase("Flatten", (2, -2), (3, 5, 1, 3), unbatched=False, note="inner"),
    LayerCase("Upsample", (), (3, 3, 5), {"scale_factor": (2, 3)}, unbatched=False),
    LayerCase(
        "Upsample",
        (),
        (3, 3, 5),
        {"size": 7, "mode": "bilinear", "align_corners": True},
        unbatched=False,
        note="bilinear",
    ),
    LayerCase("GroupNorm", (3, 6), (6, 5), unbatched=False),
    LayerCase("GroupNorm", (1, 3), (3, 3, 5), {"affine": False}, unbatched=False, note="plain"),
    LayerCase("MaxPool1d", (3,), (3, 7)),
    LayerCase("MaxPool2d", (2,), (3, 7, 5), {"ceil_mode": True}),
    LayerCase("MaxPool2d", (2, 1, 1, 1, True), (3, 7, 5), note="indices"),
    LayerCase("MaxPool3d", (2,), (3, 3, 5, 4)),
    LayerCase("AvgPool1d", (3, 2, 1), (3, 7)),
    LayerCase("AvgPool2d", (3,), (3, 7, 5), {"divisor_override": 2}),
    LayerCase("AvgPool3d", (2,), (3, 3, 5, 4)),
    LayerCase("AdaptiveAvgPool1d", (3,), (3, 7)),
    LayerCase("AdaptiveAvgPool2d", ((None, 3),), (3, 7, 5)),
    LayerCase("AdaptiveAvgPool3d", (1,), (3, 3, 5, 4)),
    LayerCase("AdaptiveMaxPool1d", (3,), (3, 7)),
    LayerCase("AdaptiveMaxPool2d", ((4, 3), True), (3, 7, 5)),
    LayerCase("AdaptiveMaxPool3d", (2,), (3, 3, 5, 4)),
    LayerCase("MaxUnpool1d", (2,), (3, 5)),
    LayerCase("MaxUnpool2d", (2,), (3, 3, 5)),
    LayerCase("MaxUnpool3d", (2,), (3, 3, 1, 2)),
    LayerCase("BatchNorm1d", (5,), (5,), unbatched=False),
    LayerCase("BatchNorm1d", (3,), (3, 7), {"momentum": None}, unbatched=False, note="lines"),
    LayerCase("BatchNorm2d", (3,), (3, 7, 5), unbatched=False),
    LayerCase("BatchNorm2d", (3, 0.1, 0.3, False), (3, 7, 5), unbatched=False, note="plain"),
    LayerCase(
        "BatchNorm2d",
        (3,),
        (3, 1, 1),
        {"track_running_stats": False},
        unbatched=False,
        note="untracked",
    ),
    LayerCase("BatchNorm3d", (3,), (3, 3, 5, 4), {"bias": False}, unbatched=False),
]
NORMS = [case for case in LAYERS if case.name.startswith("BatchNorm")]

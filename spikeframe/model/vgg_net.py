"""A deep convolutional classifier of event frames, after VGG."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from .. import layer

__all__ = ["VGGNet"]

POOL = 0


class VGGNet(nn.Module):
    r"""Convolutions with batch norm and activation, average pools between them, one linear layer.

    Arguments:
        frame_shape: Channels, height and width of one frame, [C, H, W].
        n_classes: Scores per step.
        activation: Makes the activation of one layer: ``neuron.LIFNode`` or ``nn.ReLU``.
        plan: Output channels of each convolution, 0 for a pool that halves both sides.
        dropout: Probability that an input of the linear layer is dropped, for a whole sequence.
        readout: Makes a module that turns the scores of the linear layer into the output; none by
            default.
    Shape:
        input: [N, C, H, W] when step_mode is 's', [T, N, C, H, W] when it is 'm'.
        output: [N, n_classes] or [T, N, n_classes].
    Raises:
        ValueError: The plan has no convolution, or more pools than the frame has room for.
    References:
        | Temporal Efficient Training of Spiking Neural Network via Gradient Re-weighting
          (Deng et al., 2022)
        | https://arxiv.org/abs/2202.11946

    Example:
        >>> import torch
        >>> from spikeframe import functional, neuron
        >>> net = VGGNet((2, 16, 16), 10, neuron.LIFNode, plan=(8, POOL, 16, POOL))
        >>> functional.set_step_mode(net, "m")
        >>> net(torch.rand(4, 2, 2, 16, 16)).shape
        torch.Size([4, 2, 10])
    """

    def __init__(
        self,
        frame_shape: Sequence[int],
        n_classes: int,
        activation: Callable[[], nn.Module],
        *,
        plan: Sequence[int] = (64, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0),
        dropout: float = 0.25,
        readout: Callable[[], nn.Module] = nn.Identity,
    ) -> None:
        super().__init__()
        width, *sides = frame_shape
        self.features = nn.Sequential()
        for channels in plan:
            if channels == POOL:
                self.features.append(layer.AvgPool2d(2))
                sides = [side // 2 for side in sides]
            else:
                self.features.append(_block(width, channels, activation))
                width = channels
        if min(sides) < 1 or not any(plan):
            raise ValueError(
                f"plan must have a convolution, and at most as many pools as {list(frame_shape)} "
                f"can be halved, got {list(plan)}"
            )
        self.flatten = layer.Flatten()
        self.dropout = layer.Dropout(dropout)
        self.classifier = layer.Linear(width * sides[0] * sides[1], n_classes)
        self.readout = readout()

    def forward(self, x: Tensor) -> Tensor:
        """Scores of each class at each step."""
        features = self.dropout(self.flatten(self.features(x)))
        scores: Tensor = self.readout(self.classifier(features))
        return scores


def _block(in_channels: int, out_channels: int, activation: Callable[[], nn.Module]) -> nn.Module:
    block = nn.Sequential()
    # Batch norm shifts by itself, so the convolution needs no bias.
    conv = layer.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
    block.add_module("conv", conv)
    block.add_module("norm", layer.BatchNorm2d(out_channels))
    block.add_module("activation", activation())
    return block

"""A convolutional classifier that is spiking or not by the activation it is given."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from .. import layer

__all__ = ["ConvNet"]

# Pooling halves a side while the result keeps at least this many pixels.
SMALLEST_SIDE = 2


class ConvNet(nn.Module):
    r"""Stages of convolution, batch norm, pooling and activation; then linear layers.

    With a node as activation it is a spiking network, with ``nn.ReLU`` its conventional twin of
    the same weights. A stage pools before it fires, so that what comes before the first neuron
    is computed once for a still image, however many steps it is shown for, and the neurons are
    a quarter as many. Suits images from 8x8 pixels (digits) to 32x32 (CIFAR-10), and frames of
    events; for large ones (DVS Gesture) with more stages and a hidden layer.

    Arguments:
        image_shape: Channels, height and width of one image, [C, H, W].
        n_classes: Scores per image.
        activation: Makes the activation of one stage: ``neuron.LIFNode`` or ``nn.ReLU``.
        channels: Output channels of each stage.
        hidden: Neurons of each linear layer between the stages and the last one.
        dropout: Probability that an input of a linear layer is dropped, for a whole sequence.
        readout: Makes a module that turns the scores of the linear layer into the output;
            none by default.
    Shape:
        input: [N, C, H, W] when step_mode is 's', [T, N, C, H, W] when it is 'm'.
        output: [N, n_classes] or [T, N, n_classes].
    Raises:
        ValueError: The shape is not three positive numbers, there are no classes or stages, or a
            hidden layer has no neurons.
    References:
        | Incorporating Learnable Membrane Time Constant to Enhance Learning of Spiking Neural
          Networks (Fang et al., 2021): five stages of 128 channels, 512 hidden, for DVS Gesture
        | https://arxiv.org/abs/2007.05785

    Example:
        >>> import torch
        >>> from spikeframe import functional, neuron
        >>> net = ConvNet((1, 8, 8), 10, neuron.LIFNode)
        >>> functional.set_step_mode(net, "m")
        >>> net(torch.rand(4, 2, 1, 8, 8)).shape
        torch.Size([4, 2, 10])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        n_classes: int,
        activation: Callable[[], nn.Module],
        *,
        channels: Sequence[int] = (32, 64, 128),
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        readout: Callable[[], nn.Module] = nn.Identity,
    ) -> None:
        super().__init__()
        _check_sizes(image_shape, n_classes, channels, hidden)
        width, *sides = image_shape
        self.stages = nn.Sequential()
        for out_channels in channels:
            pools = min(sides) >= 2 * SMALLEST_SIDE
            self.stages.append(_stage(width, out_channels, pools, activation))
            width, sides = out_channels, [side // 2 if pools else side for side in sides]
        self.flatten = layer.Flatten()
        width *= sides[0] * sides[1]
        self.hidden = nn.Sequential()
        for size in hidden:
            self.hidden.append(layer.Dropout(dropout))
            self.hidden.append(layer.Linear(width, size))
            self.hidden.append(activation())
            width = size
        self.dropout = layer.Dropout(dropout) if dropout else nn.Identity()
        self.classifier = layer.Linear(width, n_classes)
        self.readout = readout()

    def forward(self, x: Tensor) -> Tensor:
        """Scores of each class at each step."""
        features = self.dropout(self.hidden(self.flatten(self.stages(x))))
        scores: Tensor = self.readout(self.classifier(features))
        return scores


def _stage(
    in_channels: int, out_channels: int, pools: bool, activation: Callable[[], nn.Module]
) -> nn.Sequential:
    stage = nn.Sequential()
    # Batch norm shifts by itself, so the convolution needs no bias.
    conv = layer.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
    stage.add_module("conv", conv)
    stage.add_module("norm", layer.BatchNorm2d(out_channels))
    if pools:
        stage.add_module("pool", layer.MaxPool2d(2))
    stage.add_module("activation", activation())
    return stage


def _check_sizes(
    image_shape: Sequence[int], n_classes: int, channels: Sequence[int], hidden: Sequence[int]
) -> None:
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(
            f"image_shape must be [C, H, W], three positive numbers, got {list(image_shape)}"
        )
    if n_classes < 1:
        raise ValueError(f"n_classes must be at least 1, got {n_classes}")
    if not channels or min(channels) < 1:
        raise ValueError(
            f"channels must name the positive width of at least one stage, got {list(channels)}"
        )
    if hidden and min(hidden) < 1:
        raise ValueError(f"hidden layers must have at least one neuron, got {list(hidden)}")

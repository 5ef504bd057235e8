"""A recurrent classifier of long sequences, such as spoken words."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .. import base, layer

__all__ = ["RecurrentLayer", "RecurrentNet"]


class RecurrentLayer(base.MemoryModule):
    r"""A layer whose outputs are its input one step later.

    .. math::
        S[t] = f(\operatorname{norm}(W X[t]) + V S[t-1]), \quad S[0] = 0

    :math:`f` is the activation, with its own memory if it is a neuron, the norm a batch norm over
    samples and steps: inputs are sparse, and without it a neuron might never fire. The weights
    :math:`V` start orthogonal and small, so that no step drowns in the one before.

    Arguments:
        in_features: Size of the input.
        out_features: Number of neurons.
        activation: Makes the activation :math:`f`; it keeps step_mode 's' in here.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input: [N, in_features] when step_mode is 's', [T, N, in_features] when it is 'm'.
        output: The same with out_features.
    State:
        spike: the last step's output, [N, out_features]; starts at 0.

    Example:
        >>> from spikeframe import neuron
        >>> recurrent = RecurrentLayer(700, 128, neuron.LIFNode, step_mode="m")
        >>> recurrent(torch.rand(20, 4, 700)).shape
        torch.Size([20, 4, 128])
    """

    keeps_inner_step_mode = True
    # Of the spectral norm 1 of an orthogonal matrix.
    GAIN = 0.5

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: Callable[[], nn.Module],
        step_mode: str = "s",
    ) -> None:
        super().__init__()
        self.step_mode = step_mode
        # Batch norm shifts by itself, so the input's weights need no bias.
        self.linear = nn.Linear(in_features, out_features, bias=False)
        self.norm = nn.BatchNorm1d(out_features)
        self.recurrent = nn.Linear(out_features, out_features, bias=False)
        nn.init.orthogonal_(self.recurrent.weight, self.GAIN)
        self.activation = activation()
        self.register_memory("spike", 0.0)

    def single_step_forward(self, x: Tensor) -> Tensor:
        """One step's output."""
        return self._step(self.norm(self.linear(x)))

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        """A sequence's outputs: the input's weights for all steps at once, the rest in turn."""
        currents = self.linear(x_seq)
        normal = self.norm(currents.flatten(0, 1)).view_as(currents)
        return torch.stack([self._step(current) for current in normal])

    def _step(self, current: Tensor) -> Tensor:
        self.fit_memories(current, ["spike"])
        self.spike: Tensor = self.activation(current + self.recurrent(self.spike))
        return self.spike


class RecurrentNet(nn.Module):
    r"""Recurrent layers, then one linear layer; spiking or not by the activation it is given.

    Arguments:
        frame_shape: Shape of one step's frame, [C, H, W], which is flattened.
        n_classes: Scores per step.
        activation: Makes the activation of one layer: ``neuron.LIFNode`` or ``nn.ReLU``.
        hidden: Neurons of each recurrent layer.
        dropout: Probability that an output of a layer is dropped, for a whole sequence.
        readout: Makes a module that turns the scores of the linear layer into the output; none by
            default.
    Shape:
        input: [N, C, H, W] when step_mode is 's', [T, N, C, H, W] when it is 'm'.
        output: [N, n_classes] or [T, N, n_classes].
    Raises:
        ValueError: There are no layers.
    References:
        | The Heidelberg Spiking Data Sets for the Systematic Evaluation of Spiking Neural Networks
          (Cramer et al., 2020)
        | https://doi.org/10.1109/TNNLS.2020.3044364

    Example:
        >>> from spikeframe import functional, neuron
        >>> net = RecurrentNet((1, 1, 700), 20, neuron.LIFNode)
        >>> functional.set_step_mode(net, "m")
        >>> net(torch.rand(10, 2, 1, 1, 700)).shape
        torch.Size([10, 2, 20])
    """

    def __init__(
        self,
        frame_shape: Sequence[int],
        n_classes: int,
        activation: Callable[[], nn.Module],
        *,
        hidden: Sequence[int] = (256,),
        dropout: float = 0.0,
        readout: Callable[[], nn.Module] = nn.Identity,
    ) -> None:
        super().__init__()
        if not hidden or min(hidden) < 1:
            raise ValueError(
                f"hidden must name the positive size of at least one layer, got {list(hidden)}"
            )
        self.flatten = layer.Flatten()
        self.layers = nn.Sequential()
        width = int(torch.Size(frame_shape).numel())
        for size in hidden:
            self.layers.append(RecurrentLayer(width, size, activation))
            self.layers.append(layer.Dropout(dropout))
            width = size
        self.classifier = layer.Linear(width, n_classes)
        self.readout = readout()

    def forward(self, x: Tensor) -> Tensor:
        """Scores of each class at each step."""
        scores: Tensor = self.readout(self.classifier(self.layers(self.flatten(x))))
        return scores

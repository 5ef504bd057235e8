"""Neurons that normalise their membrane potential over the batch."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..base.location import Location
from .base_node import BaseNode
from .feedback import run_in_own_dtype
from .lif import LIFNode
from .parameter import Scalar, check_count, check_flag, check_number

__all__ = ["MPBNBaseNode", "MPBNLIFNode"]


class MPBNBaseNode(BaseNode):
    r"""Base class of neurons with membrane potential batch normalisation (MPBN).

    .. math::
        H'[t] &= \operatorname{BN}(H[t]) \\
        S[t] &= \Theta(H'[t] - V_{th})

    The normalisation mixes the samples of a batch, so such a neuron runs with backend 'eager'.
    After training, :meth:`re_parameterize_v_threshold` folds it into a threshold per channel,
    :math:`\tilde V_{th} = (V_{th} - \beta) \sqrt{\sigma^2 + \epsilon} / \gamma + \mu`, which
    follows the data's mean and variance while the node is in training mode.

    Arguments:
        mpbn: Normalise at all.
        out_features: Number of features of an input [N, C]; or else:
        out_channels: Number of channels of an input [N, C, H, W].
        learnable_vth: Learn a threshold per channel, :math:`e^a` with a the parameter ``a``. (A
            soft reset subtracts v_threshold nevertheless, as SpikingJelly's does.)
        bn_momentum: How far folded statistics follow a batch, with running_stats.
        bn_decay_momentum: Factor of bn_momentum per step.
        bn_min_momentum: The least bn_momentum.
        kwargs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, C] or [N, C, H, W] when step_mode is 's', a T before it when 'm'.
    State:
        v: membrane potential after the reset, shaped as a step; starts at v_reset (0 if None).
    Raises:
        TypeError: An argument is of another type.
        ValueError: Not exactly one of out_features and out_channels is given.
    References:
        | Membrane Potential Batch Normalization for Spiking Neural Networks (Guo et al., 2023)
        | https://arxiv.org/abs/2308.08359
        | Threshold Modulation for Online Test-Time Adaptation of Spiking Neural Networks
          (Zhao et al., 2025)
        | https://arxiv.org/abs/2505.05375
    """

    mu: Tensor
    sigma2: Tensor

    def __init__(
        self,
        *,
        mpbn: bool = True,
        out_features: int | None = None,
        out_channels: int | None = None,
        learnable_vth: bool = False,
        bn_momentum: float = 0.1,
        bn_decay_momentum: float = 0.94,
        bn_min_momentum: float = 0.005,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (out_features is None) == (out_channels is None):
            raise ValueError(
                "give out_features for inputs [N, C], or out_channels for inputs [N, C, H, W], "
                f"got {out_features} and {out_channels}"
            )
        self.of_images = out_channels is not None
        argument = "out_channels" if self.of_images else "out_features"
        self.channels = check_count(argument, out_channels if self.of_images else out_features)
        kind: Any = nn.BatchNorm2d if self.of_images else nn.BatchNorm1d
        self.vbn = kind(self.channels) if check_flag("mpbn", mpbn) else None
        self.folded: Any = None
        self.register_buffer("mu", None)
        self.register_buffer("sigma2", None)
        self.normalize_residual = self.running_stats = False
        self.bn_momentum = check_number("bn_momentum", bn_momentum)
        self.bn_decay_momentum = check_number("bn_decay_momentum", bn_decay_momentum)
        self.bn_min_momentum = check_number("bn_min_momentum", bn_min_momentum)
        self.learnable_vth = check_flag("learnable_vth", learnable_vth)
        if learnable_vth:
            self.a = nn.Parameter(torch.zeros(self.channels))

    def re_parameterize_v_threshold(
        self, normalize_residual: bool = False, running_stats: bool = False
    ) -> None:
        """Fold the normalisation into the threshold; once.

        Arguments:
            normalize_residual: Still normalise what stays in the membrane without a spike.
            running_stats: Let the statistics follow the batches seen in training mode by
                bn_momentum, rather than be those of the last step.
        """
        if self.vbn is None:
            return
        if self.learnable_vth:
            self.v_threshold = self.per_channel(self.a.detach().exp())
            del self.a
            self.learnable_vth = False
        self.normalize_residual, self.running_stats = normalize_residual, running_stats
        self.mu, self.sigma2 = self.vbn.running_mean, self.vbn.running_var
        self.folded, self.vbn = self.vbn, None

    def single_step_forward(self, x: Tensor, *inputs: Any) -> Tensor:
        """Charge, normalise, fire, reset."""
        self.v_float_to_tensor(x)
        self.neuronal_charge(x, *inputs)
        if self.vbn is not None:
            self.v = run_in_own_dtype(self.vbn, self.v)
        if self.folded is not None and self.training:
            self._follow(self.v.detach())
        distance = self.v - self.firing_threshold()
        spike = self.surrogate_function(distance)
        if self.folded is not None and self.normalize_residual:
            self.v = torch.where(distance <= 0, self._normalized(self.v), self.v)
        self.neuronal_reset(spike)
        return spike

    def firing_threshold(self) -> Scalar:
        """What the membrane must reach now: learned, or with the normalisation in it."""
        if self.learnable_vth:
            return self.per_channel(self.a.exp())
        if self.folded is None:
            return self.v_threshold
        centred = self.v_threshold - self.per_channel(self.folded.bias)
        scale = self._deviation() / self.per_channel(self.folded.weight)
        return centred * scale + self.per_channel(self.mu)

    def per_channel(self, values: Tensor) -> Tensor:
        """Values [C] in the shape that broadcasts to a step."""
        return values.reshape(-1, 1, 1) if self.of_images else values

    def state_like(self, x: Tensor) -> Tensor:
        """The step itself, which must have the channels of the normalisation."""
        rest = ["H", "W"] if self.of_images else []
        if x.dim() != 2 + len(rest) or x.shape[1] != self.channels:
            wanted = ", ".join(["N", str(self.channels), *rest])
            raise ValueError(f"{Location(self)} takes steps [{wanted}], got {list(x.shape)}")
        return x

    def _deviation(self) -> Tensor:
        return self.per_channel(torch.sqrt(self.sigma2 + self.folded.eps))

    def _normalized(self, v: Tensor) -> Tensor:
        centred = (v - self.per_channel(self.mu)) / self._deviation()
        weight, bias = self.per_channel(self.folded.weight), self.per_channel(self.folded.bias)
        return centred * weight + bias

    def _follow(self, v: Tensor) -> None:
        """Take over the statistics of a step, of which one sample has no variance."""
        if not self.of_images and v.shape[0] == 1:
            return
        over = (0, 2, 3) if self.of_images else (0,)
        mean, variance = v.mean(over), v.var(over, unbiased=True)
        if self.running_stats:
            part = self.bn_momentum
            mean = self.mu * (1 - part) + mean * part
            variance = self.sigma2 * (1 - part) + variance * part
            self.bn_momentum = max(self.bn_momentum * self.bn_decay_momentum, self.bn_min_momentum)
        self.mu, self.sigma2 = mean, variance


class MPBNLIFNode(MPBNBaseNode, LIFNode):
    r"""Leaky integrate-and-fire neuron with membrane potential batch normalisation.

    .. math::
        H'[t] &= \operatorname{BN}(H[t]), \quad H[t]~\text{the charge of}~\texttt{LIFNode} \\
        S[t] &= \Theta(H'[t] - V_{th}) \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H'[t] \quad\text{or}\quad H'[t] - S[t] V_{th}

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        decay_input: Divide the input by :math:`\tau` too.
        mpbn, out_features, out_channels, learnable_vth: As of :class:`MPBNBaseNode`.
        bn_momentum, bn_decay_momentum, bn_min_momentum: As of :class:`MPBNBaseNode`.
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, C] or [N, C, H, W] when step_mode is 's', a T before it when 'm'.
    State:
        v: membrane potential after the reset, shaped as a step; starts at v_reset (0 if None).
    Raises:
        TypeError: An argument is of another type.
        ValueError: Not exactly one of out_features and out_channels is given, or tau is not
            greater than 1.
    References:
        | Membrane Potential Batch Normalization for Spiking Neural Networks (Guo et al., 2023)
        | https://arxiv.org/abs/2308.08359

    Example:
        >>> node = MPBNLIFNode(out_features=3, step_mode="m")
        >>> node(torch.rand(4, 2, 3)).shape
        torch.Size([4, 2, 3])
        >>> node.re_parameterize_v_threshold()
        >>> node.eval().firing_threshold().shape
        torch.Size([3])
    """

    def __init__(
        self,
        tau: Scalar = 2.0,
        decay_input: bool = False,
        v_threshold: Scalar = 1.0,
        v_reset: Scalar | None = 0.0,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        detach_reset: bool = False,
        step_mode: str = "s",
        backend: str = "auto",
        store_v_seq: bool = False,
        store_state_seqs: bool = False,
        mpbn: bool = True,
        out_features: int | None = None,
        out_channels: int | None = None,
        learnable_vth: bool = False,
        bn_momentum: float = 0.1,
        bn_decay_momentum: float = 0.94,
        bn_min_momentum: float = 0.005,
    ) -> None:
        super().__init__(
            mpbn=mpbn,
            out_features=out_features,
            out_channels=out_channels,
            learnable_vth=learnable_vth,
            bn_momentum=bn_momentum,
            bn_decay_momentum=bn_decay_momentum,
            bn_min_momentum=bn_min_momentum,
            tau=tau,
            decay_input=decay_input,
            v_threshold=v_threshold,
            v_reset=v_reset,
            surrogate_function=surrogate_function,
            detach_reset=detach_reset,
            step_mode=step_mode,
            backend=backend,
            store_v_seq=store_v_seq,
            store_state_seqs=store_state_seqs,
        )

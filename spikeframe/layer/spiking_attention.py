r"""Self-attention of spikes: queries, keys and values are spikes, and there is no softmax.

:math:`S(X) = \mathrm{SN}(\mathrm{BN}(W X))` is a linear map of the channels, batch norm and
neurons; SN alone is neurons. Neurons come from a factory, ``neuron.LIFNode`` for example, that is
called with keyword arguments.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ..base import StepModule
from ..base.step import inner_step_modules
from .convolution import Conv1d, Conv2d
from .normalization import BatchNorm1d, BatchNorm2d
from .wrapper import check_rank

__all__ = [
    "ChannelQKAttention",
    "QKAttention",
    "SpikeDrivenSelfAttention",
    "SpikingSelfAttention",
    "TokenQKAttention",
]

Factory = Callable[..., nn.Module]

# Of the membrane behind a product of spikes, which is small.
ATTENTION_THRESHOLD = 0.5


class _SpikingAttention(StepModule, nn.Module):
    """Heads, and one step mode for everything inside."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        if num_heads < 1 or dim < 1 or dim % num_heads:
            raise ValueError(
                f"dim must be a positive multiple of num_heads, got dim={dim} and "
                f"num_heads={num_heads}"
            )
        self.dim, self.num_heads = dim, num_heads

    @property
    def step_mode(self) -> str:
        """'s' or 'm', of everything inside, too."""
        return self._step_mode

    @step_mode.setter
    def step_mode(self, step_mode: str) -> None:
        self.check_step_mode_supported(step_mode)
        for child in self.children():
            for module in inner_step_modules(child):
                module.step_mode = step_mode
        self._step_mode = step_mode

    def extra_repr(self) -> str:
        """The arguments."""
        return f"dim={self.dim}, num_heads={self.num_heads}, step_mode={self.step_mode}"


class SpikingSelfAttention(_SpikingAttention):
    r"""Spiking self-attention (SSA).

    .. math::
        Q, K, V &= S(X), \quad \text{each } [d, L] \text{ per head} \\
        Y &= S(\mathrm{SN}(\tfrac{1}{8} V K^T Q))

    Arguments:
        dim: Channels C, a multiple of ``num_heads``.
        num_heads: Number of heads.
        spiking_neuron: Makes a neuron, given keyword arguments: ``v_threshold=0.5`` for those
            behind the product, and ``kwargs`` for all.
        step_mode: 'm' for a sequence, 's' for one step per call; of everything inside, too.
        kwargs: Passed to the factory, such as ``tau=2.0``.
    Shape:
        input, output: [T, N, C, L] when step_mode is 'm', [N, C, L] when it is 's'.
    Raises:
        TypeError: ``spiking_neuron`` makes nothing.
        ValueError: ``dim`` is not a multiple of ``num_heads``; at a call, the input has another
            rank.
    References:
        | Spikformer: When Spiking Neural Network Meets Transformer (Zhou et al., 2023)
        | https://arxiv.org/abs/2209.15425

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> attention = SpikingSelfAttention(8, 2, neuron.LIFNode, tau=2.0)
        >>> attention(torch.rand(4, 1, 8, 5)).shape
        torch.Size([4, 1, 8, 5])
    """

    scale = 0.125

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        spiking_neuron: Factory | None = None,
        *,
        step_mode: str = "m",
        **kwargs: Any,
    ) -> None:
        super().__init__(dim, num_heads)
        make = _maker(spiking_neuron, kwargs)
        self.qkv_conv_bn = _linear_norm(dim, 3 * dim)
        self.qkv_lif = make()
        self.attn_lif = make(v_threshold=ATTENTION_THRESHOLD)
        self.proj_conv_bn = _linear_norm(dim, dim)
        self.proj_lif = make()
        self.step_mode = step_mode

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of one step or of a sequence, as ``step_mode`` says."""
        check_rank(self, x, ("[N, C, L]",), "dim")
        spikes = self.qkv_lif(self.qkv_conv_bn(x))
        # [*, 3, heads, d, L]
        q, k, v = spikes.unflatten(-2, (3, self.num_heads, -1)).unbind(-4)
        mixed = self.attn_lif(v @ k.mT @ q * self.scale)
        y: Tensor = self.proj_lif(self.proj_conv_bn(mixed.flatten(-3, -2)))
        return y


class QKAttention(_SpikingAttention):
    r"""Attention of queries and keys, linear in tokens and channels (QKA).

    .. math::
        Q, K &= S(X) \\
        Y &= S(\mathrm{SN}(\textstyle\sum Q) \odot K)

    The sum is over the channels of a head, so that each token is kept or not ('token'), or over
    tokens, so that each channel is ('channel').

    Arguments:
        dim: Channels C, a multiple of ``num_heads``.
        num_heads: Number of heads.
        qka_type: 'token' or 'channel'.
        spiking_neuron: Makes a neuron, given keyword arguments: ``v_threshold=0.5`` for those
            behind the sum, and ``kwargs`` for all.
        step_mode: 'm' for a sequence, 's' for one step per call; of everything inside, too.
        kwargs: Passed to the factory, such as ``tau=2.0``.
    Shape:
        input, output: [T, N, C, L] when step_mode is 'm', [N, C, L] when it is 's'.
    Raises:
        TypeError: ``spiking_neuron`` makes nothing.
        ValueError: ``dim`` is not a multiple of ``num_heads``, or ``qka_type`` is unknown; at a
            call, the input has another rank.
    References:
        | QKFormer: Hierarchical Spiking Transformer Using Q-K Attention (Zhou et al., 2024)
        | https://arxiv.org/abs/2403.16552

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> attention = QKAttention(8, 2, "channel", neuron.LIFNode)
        >>> attention(torch.rand(4, 1, 8, 5)).shape
        torch.Size([4, 1, 8, 5])
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        qka_type: str = "token",
        spiking_neuron: Factory | None = None,
        *,
        step_mode: str = "m",
        **kwargs: Any,
    ) -> None:
        super().__init__(dim, num_heads)
        make = _maker(spiking_neuron, kwargs)
        if qka_type not in ("token", "channel"):
            raise ValueError(f"qka_type must be 'token' or 'channel', got {qka_type!r}")
        self.qka_type = qka_type
        self.qk_conv_bn = _linear_norm(dim, 2 * dim)
        self.qk_lif = make()
        self.attn_lif = make(v_threshold=ATTENTION_THRESHOLD)
        self.proj_conv_bn = _linear_norm(dim, dim)
        self.proj_lif = make()
        self.step_mode = step_mode

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of one step or of a sequence, as ``step_mode`` says."""
        check_rank(self, x, ("[N, C, L]",), "dim")
        spikes = self.qk_lif(self.qk_conv_bn(x))
        # [*, 2, heads, d, L]
        q, k = spikes.unflatten(-2, (2, self.num_heads, -1)).unbind(-4)
        kept = self.attn_lif(q.sum(-2 if self.qka_type == "token" else -1, keepdim=True))
        y: Tensor = self.proj_lif(self.proj_conv_bn((kept * k).flatten(-3, -2)))
        return y

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{super().extra_repr()}, qka_type={self.qka_type}"


class TokenQKAttention(QKAttention):
    """:class:`QKAttention` that keeps tokens; its arguments but ``qka_type``."""

    def __init__(
        self, dim: int, num_heads: int = 8, spiking_neuron: Factory | None = None, **kwargs: Any
    ) -> None:
        super().__init__(dim, num_heads, "token", spiking_neuron, **kwargs)


class ChannelQKAttention(QKAttention):
    """:class:`QKAttention` that keeps channels; its arguments but ``qka_type``."""

    def __init__(
        self, dim: int, num_heads: int = 8, spiking_neuron: Factory | None = None, **kwargs: Any
    ) -> None:
        super().__init__(dim, num_heads, "channel", spiking_neuron, **kwargs)


class SpikeDrivenSelfAttention(_SpikingAttention):
    r"""Attention by masks and sums of spikes, with a membrane shortcut (SDSA).

    .. math::
        Q, K, V &= S(\mathrm{SN}(X)) \\
        Y &= X + \mathrm{BN}(W (Q \odot \mathrm{SN}(\textstyle\sum_{L} K \odot V)))

    Arguments:
        dim: Channels C, a multiple of ``num_heads``.
        num_heads: Number of heads.
        spiking_neuron: Makes a neuron, given keyword arguments: ``v_threshold=0.5`` for those
            behind the sum, and ``kwargs`` for all.
        step_mode: 'm' for a sequence, 's' for one step per call; of everything inside, too.
        kwargs: Passed to the factory, such as ``tau=2.0``.
    Shape:
        input, output: [T, N, C, H, W] when step_mode is 'm', [N, C, H, W] when it is 's'.
    Raises:
        TypeError: ``spiking_neuron`` makes nothing.
        ValueError: ``dim`` is not a multiple of ``num_heads``; at a call, the input has another
            rank.
    References:
        | Spike-driven Transformer (Yao et al., 2023)
        | https://arxiv.org/abs/2307.01694

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> attention = SpikeDrivenSelfAttention(8, 2, neuron.LIFNode)
        >>> attention(torch.rand(4, 1, 8, 5, 5)).shape
        torch.Size([4, 1, 8, 5, 5])
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        spiking_neuron: Factory | None = None,
        *,
        step_mode: str = "m",
        **kwargs: Any,
    ) -> None:
        super().__init__(dim, num_heads)
        make = _maker(spiking_neuron, kwargs)
        self.shortcut_lif = make()
        for name in ("q", "k", "v"):
            self.add_module(f"{name}_conv", Conv2d(dim, dim, 1, bias=False))
            self.add_module(f"{name}_bn", BatchNorm2d(dim))
            self.add_module(f"{name}_lif", make())
        self.attn_lif = make(v_threshold=ATTENTION_THRESHOLD)
        self.proj_conv = Conv2d(dim, dim, 1)
        self.proj_bn = BatchNorm2d(dim)
        self.step_mode = step_mode

    def forward(self, x: Tensor) -> Tensor:
        """One step or a sequence, as ``step_mode`` says."""
        check_rank(self, x, ("[N, C, H, W]",), "dim")
        spikes = self.shortcut_lif(x)
        q, k, v = (self._heads(name, spikes) for name in ("q", "k", "v"))
        kept = self.attn_lif((k * v).sum(-1, keepdim=True))
        y = (q * kept).flatten(-3, -2).unflatten(-1, x.shape[-2:])
        result: Tensor = self.proj_bn(self.proj_conv(y)) + x
        return result

    def _heads(self, name: str, spikes: Tensor) -> Tensor:
        """S of the spikes, [*, heads, d, L]."""
        maps = (self.get_submodule(f"{name}_{part}") for part in ("conv", "bn", "lif"))
        for layer in maps:
            spikes = layer(spikes)
        return spikes.flatten(-2).unflatten(-2, (self.num_heads, -1))


def _maker(spiking_neuron: Factory | None, given: dict[str, Any]) -> Factory:
    """The factory, with the keyword arguments that all neurons get."""
    if spiking_neuron is None or isinstance(spiking_neuron, nn.Module):
        raise TypeError(
            "spiking_neuron must make neurons, such as neuron.LIFNode or "
            f"functools.partial(neuron.LIFNode, tau=2.0), got {type(spiking_neuron).__name__}"
        )
    return lambda **options: spiking_neuron(**(options | given))


def _linear_norm(dim: int, out: int) -> nn.Sequential:
    return nn.Sequential(Conv1d(dim, out, 1, bias=False), BatchNorm1d(out))

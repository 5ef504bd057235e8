"""The recurrent neurons of the snnTorch family."""

from typing import Any, Unpack

from torch import Tensor, nn

from .decay import decay, learnable
from .feedback import Feedback, same_padding
from .parameter import Scalar, check_number
from .spiking_neuron import Options, SpikingNeuron
from .synaptic import Synaptic

__all__ = ["RLeaky", "RSynaptic"]


class RLeaky(Feedback, SpikingNeuron):
    r"""Leaky neuron that hears its layer's spikes of the last step.

    .. math::
        H[t] &= \beta U[t-1] + X[t] + F(S[t-1]) \\
        R[t] &= \Theta(U[t-1] - U_{thr}),\quad S[t] = \Theta(U[t] - U_{thr}) \\
        U[t] &= H[t] - R[t]\, U_{thr} \quad\text{('subtract')},\quad
            (1 - R[t])\, H[t] \quad\text{('zero': input and feedback are swallowed)},\quad
            H[t] \quad\text{('none')}

    :math:`F` is linear or a convolution (``all_to_all``), which runs before each step's kernel, or
    the product with V, one to one, which runs inside it.

    Arguments:
        beta: Decay :math:`\beta` of the membrane per step, in [0, 1]: a number, a tensor that
            broadcasts to the input (per channel [C, 1, 1], per neuron), or an nn.Parameter.
        V: Weight of a neuron's own spike, where ``all_to_all`` is False; likewise.
        all_to_all: Feed back through a linear map or a convolution.
        linear_features: The features of the linear map: the input's last dimension.
        conv2d_channels: The channels of the convolution, for inputs [N, C, H, W].
        kernel_size: Its kernel, of odd size.
        learn_beta: Make beta a parameter: 'clamp' (True), 'sigmoid' or 'exp'.
        learn_recurrent: Make V, or the weights of the feedback, parameters.
        options: As :class:`SpikingNeuron` takes them: threshold, reset_mechanism, ...
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        mem: membrane potential :math:`U`, [N, \*]; 0 before the first step.
        spk: spikes of the last step, likewise.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed, or does not go with the others.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
          (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> import torch
        >>> node = RLeaky(beta=0.5, all_to_all=False, V=-1.0, step_mode="m", store_v_seq=True)
        >>> node(torch.full((4, 1), 1.5)).flatten().tolist(), node.mem_seq.flatten().tolist()
        ([1.0, 0.0, 1.0, 0.0], [1.5, 0.25, 1.625, 0.3125])
    """

    beta: Any

    def __init__(
        self,
        beta: Scalar,
        V: Scalar = 1.0,
        all_to_all: bool = True,
        linear_features: int | None = None,
        conv2d_channels: int | None = None,
        kernel_size: int | tuple[int, int] | None = None,
        *,
        learn_beta: bool | str = False,
        learn_recurrent: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.set_decay("beta", beta, learn_beta)
        shape = (linear_features, conv2d_channels, kernel_size)
        self.set_feedback(_weights(V, all_to_all, *shape, learn_recurrent))

    def neuronal_charge(self, x: Tensor) -> None:
        """Leak, integrate the input and what comes back."""
        self.mem = decay(self.beta) * self.mem + x + self.feedback()


class RSynaptic(Feedback, Synaptic):
    r"""Neuron with a synaptic current that hears its layer's spikes of the last step.

    .. math::
        I[t] &= \alpha I[t-1] + X[t] + F(S[t-1]),\quad H[t] = \beta U[t-1] + I[t] \\
        R[t] &= \Theta(U[t-1] - U_{thr}),\quad S[t] = \Theta(U[t] - U_{thr}) \\
        U[t] &= H[t] - R[t]\, U_{thr} \quad\text{('subtract')},\quad
            (1 - R[t])\, H[t] \quad\text{('zero')},\quad H[t] \quad\text{('none')}

    :math:`F` is that of :class:`RLeaky`. (In snnTorch 1.0.0 ``reset_delay=False`` fails or has no
    effect here.)

    Arguments:
        alpha: Decay :math:`\alpha` of the current per step, in [0, 1]: a number, a tensor that
            broadcasts to the input (per channel [C, 1, 1], per neuron), or an nn.Parameter.
        beta: Decay :math:`\beta` of the membrane per step; likewise.
        V: Weight of a neuron's own spike, where ``all_to_all`` is False; likewise.
        all_to_all: Feed back through a linear map or a convolution.
        linear_features: The features of the linear map: the input's last dimension.
        conv2d_channels: The channels of the convolution, for inputs [N, C, H, W].
        kernel_size: Its kernel, of odd size.
        learn_alpha: Make alpha a parameter: 'clamp' (True), 'sigmoid' or 'exp'.
        learn_beta: Make beta a parameter; likewise.
        learn_recurrent: Make V, or the weights of the feedback, parameters.
        options: As :class:`SpikingNeuron` takes them: threshold, reset_mechanism, ...
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        syn: synaptic current :math:`I`, [N, \*]; 0 before the first step.
        mem: membrane potential :math:`U`, likewise.
        spk: spikes of the last step, likewise.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed, or does not go with the others.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
          (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> import torch
        >>> node = RSynaptic(alpha=0.5, beta=0.5, linear_features=3, step_mode="m")
        >>> node(torch.zeros(4, 2, 3)).shape, [name for name, _ in node.named_parameters()]
        (torch.Size([4, 2, 3]), ['recurrent.weight', 'recurrent.bias'])
    """

    def __init__(
        self,
        alpha: Scalar,
        beta: Scalar,
        V: Scalar = 1.0,
        all_to_all: bool = True,
        linear_features: int | None = None,
        conv2d_channels: int | None = None,
        kernel_size: int | tuple[int, int] | None = None,
        *,
        learn_alpha: bool | str = False,
        learn_beta: bool | str = False,
        learn_recurrent: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(alpha, beta, learn_alpha=learn_alpha, learn_beta=learn_beta, **options)
        shape = (linear_features, conv2d_channels, kernel_size)
        self.set_feedback(_weights(V, all_to_all, *shape, learn_recurrent))

    def neuronal_charge(self, x: Tensor) -> None:
        """The current takes the input and what comes back, and the membrane the current."""
        self.syn = decay(self.alpha) * self.syn + x + self.feedback()
        self.mem = decay(self.beta) * self.mem + self.syn

    def scan(self, x_seq: Tensor) -> dict[str, Tensor] | None:
        """With feedback every step waits for the one before it."""
        return None


def _weights(
    V: Scalar,
    all_to_all: bool,
    linear_features: int | None,
    conv2d_channels: int | None,
    kernel_size: int | tuple[int, int] | None,
    learn: bool,
) -> Scalar | nn.Module:
    """What the feedback goes through, made as snnTorch makes it."""
    given = {
        "linear_features": linear_features,
        "conv2d_channels": conv2d_channels,
        "kernel_size": kernel_size,
    }
    names = [name for name, value in given.items() if value is not None]
    allowed = (["linear_features"], ["conv2d_channels", "kernel_size"]) if all_to_all else ([],)
    if names not in allowed:
        raise ValueError(
            f"all_to_all={all_to_all} takes "
            + ("linear_features, or conv2d_channels and kernel_size" if all_to_all else "V alone")
            + f", got {' and '.join(names) or 'none of these'}"
        )
    if not all_to_all:
        weight = V if isinstance(V, Tensor) else check_number("V", V)
        return learnable(weight) if learn else weight
    if linear_features is not None:
        return nn.Linear(linear_features, linear_features).requires_grad_(learn)
    size: Any = kernel_size
    channels: Any = conv2d_channels
    convolution = nn.Conv2d(channels, channels, size, padding=same_padding(size))
    return convolution.requires_grad_(learn)

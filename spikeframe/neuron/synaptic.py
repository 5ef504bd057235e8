"""The leaky neuron with a synaptic current of the snnTorch family."""

from typing import Any, Unpack

from torch import Tensor

from .decay import decay
from .parameter import Scalar
from .scan import exponential_scan
from .spiking_neuron import Options, SpikingNeuron

__all__ = ["Synaptic"]


class Synaptic(SpikingNeuron):
    r"""Leaky neuron whose input passes a leaky synapse first.

    .. math::
        I[t] &= \alpha I[t-1] + X[t],\quad H[t] = \beta U[t-1] + I[t] \\
        R[t] &= \Theta(U[t-1] - U_{thr}),\quad S[t] = \Theta(U[t] - U_{thr}) \\
        U[t] &= H[t] - R[t]\, U_{thr} \quad\text{('subtract')},\quad
            (1 - R[t])\, H[t] \quad\text{('zero': the input is swallowed)},\quad
            H[t] \quad\text{('none')}

    The current is not reset. With alpha = 0 it is :class:`Leaky` (for 'subtract' and 'none').

    Arguments:
        alpha: Decay :math:`\alpha` of the current per step, in [0, 1]: a number, a tensor that
            broadcasts to the input (per channel [C, 1, 1], per neuron), or an nn.Parameter.
        beta: Decay :math:`\beta` of the membrane per step; likewise.
        learn_alpha: Make alpha a parameter: 'clamp' (True), 'sigmoid' or 'exp'.
        learn_beta: Make beta a parameter; likewise.
        options: As :class:`SpikingNeuron` takes them: threshold, reset_mechanism, ...
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        syn: synaptic current :math:`I`, [N, \*]; 0 before the first step.
        mem: membrane potential :math:`U`, likewise.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
          (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> import torch
        >>> node = Synaptic(alpha=0.5, beta=0.5, step_mode="m", store_state_seqs=True)
        >>> node(torch.tensor([[1.0], [0.0], [0.0]])).flatten()
        tensor([0., 0., 0.])
        >>> node.state_seqs["syn"].flatten(), node.state_seqs["mem"].flatten()
        (tensor([1.0000, 0.5000, 0.2500]), tensor([1.0000, 1.0000, 0.7500]))
    """

    alpha: Any
    beta: Any
    syn: Any

    def __init__(
        self,
        alpha: Scalar,
        beta: Scalar,
        *,
        learn_alpha: bool | str = False,
        learn_beta: bool | str = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.set_decay("alpha", alpha, learn_alpha)
        self.set_decay("beta", beta, learn_beta)
        self.register_memory("syn", 0.0)

    def neuronal_charge(self, x: Tensor) -> None:
        """The current takes the input, and the membrane the current."""
        self.syn = decay(self.alpha) * self.syn + x
        self.mem = decay(self.beta) * self.mem + self.syn

    def scan(self, x_seq: Tensor) -> dict[str, Tensor] | None:
        """Current and potential at all steps."""
        syn = exponential_scan(x_seq, decay(self.alpha), self.syn)
        return {"syn": syn, "mem": exponential_scan(syn, decay(self.beta), self.mem)}

    def quantize_states(self) -> None:
        """Send both states through ``state_quant``."""
        super().quantize_states()
        if self.state_quant is not None:
            self.syn = self.state_quant(self.syn)

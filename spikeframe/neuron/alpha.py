"""The alpha neuron of the snnTorch family: a membrane shaped by two currents."""

from typing import Any, Unpack

import torch
from torch import Tensor

from .decay import decay
from .parameter import Scalar, finite_threshold
from .spiking_neuron import Options, SpikingNeuron, always

__all__ = ["Alpha"]

# Of the logarithms of two decays that are equal; those of two floats next to each other differ by
# that much.
CLOSEST = 1e-7


class Alpha(SpikingNeuron):
    r"""Neuron whose membrane is the difference of two leaky currents, which rises and falls.

    .. math::
        E[t] &= \alpha E[t-1] + X[t],\quad I[t] = \beta I[t-1] - X[t] \\
        U[t] &= \tau (E[t] + I[t]),\quad \tau = \frac{\ln\beta}{\ln\beta - \ln\alpha} \\
        R[t] &= \Theta(U[t-1] - U_{thr}),\quad S[t] = \Theta(U[t] - U_{thr})

    An input moves the membrane from the next step on. 'zero' multiplies all three states by
    :math:`1 - R[t]`, input included. 'subtract' is what snnTorch computes: the threshold is taken
    from :math:`E`, :math:`I` becomes 0, and the membrane of that step alone is raised by
    :math:`I[t-1]`.

    Arguments:
        alpha: Decay :math:`\alpha` of the excitatory current per step, in (0, 1], greater than
            beta: a number, a tensor that broadcasts to the input, or an nn.Parameter.
        beta: Decay :math:`\beta` of the inhibitory current, in (0, 1); likewise.
        learn_alpha: Make alpha a parameter: 'clamp' (True), 'sigmoid' or 'exp'.
        learn_beta: Make beta a parameter; likewise.
        reset_mechanism: 'zero', 'subtract' or 'none'.
        options: As :class:`SpikingNeuron` takes them, but for ``reset_delay``.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        syn_exc: excitatory current :math:`E`, [N, \*]; 0 before the first step.
        syn_inh: inhibitory current :math:`I`, likewise.
        mem: membrane potential :math:`U`, likewise.
    Raises:
        TypeError: An argument is of another type.
        ValueError: alpha is not greater than beta, or another argument is outside of what is
            allowed.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
          (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> node = Alpha(alpha=0.9, beta=0.8, step_mode="m", store_v_seq=True)
        >>> _ = node(torch.tensor([[0.85], [0.0], [0.0], [0.0]]))
        >>> node.mem_seq.flatten()
        tensor([0.0000, 0.1610, 0.2738, 0.3494])
    """

    alpha: Any
    beta: Any
    syn_exc: Any
    syn_inh: Any

    def __init__(
        self,
        alpha: Scalar,
        beta: Scalar,
        *,
        learn_alpha: bool | str = False,
        learn_beta: bool | str = False,
        **options: Unpack[Options],
    ) -> None:
        options.setdefault("reset_mechanism", "zero")
        super().__init__(**always(Alpha, options, reset_delay=True))
        self.set_decay("alpha", alpha, learn_alpha)
        self.set_decay("beta", beta, learn_beta)
        _check_order(self.alpha, self.beta)
        self.register_memory("syn_exc", 0.0)
        self.register_memory("syn_inh", 0.0)

    def neuronal_charge(self, x: Tensor) -> None:
        """Both currents take the input, one of them negated."""
        # As tensors, since Python's numbers round otherwise.
        alpha = decay(torch.as_tensor(self.alpha, dtype=x.dtype))
        beta = decay(torch.as_tensor(self.beta, dtype=x.dtype))
        tau = _scale(alpha, beta)
        self.syn_exc = alpha * self.syn_exc + x
        self.syn_inh = beta * self.syn_inh - x
        self.mem = tau * (self.syn_exc + self.syn_inh)

    def neuronal_reset(self, spike: Tensor) -> None:
        """Reset all states to zero, or the currents by the threshold."""
        if self.reset_mechanism == "zero":
            self.syn_exc = (1.0 - spike) * self.syn_exc
            self.mem = (1.0 - spike) * self.mem
        else:
            self.syn_exc = self.syn_exc - spike * finite_threshold(self.threshold)
        self.syn_inh = (1.0 - spike) * self.syn_inh

    def advance(self, x: Tensor, spike: Tensor | None) -> None:
        """By subtraction the membrane is raised by the inhibition that is taken away."""
        inhibition = self.syn_inh
        super().advance(x, spike)
        if spike is not None and self.reset_mechanism == "subtract":
            self.mem = self.mem + inhibition * spike

    def quantize_states(self) -> None:
        """Send the three states through ``state_quant``."""
        super().quantize_states()
        if self.state_quant is not None:
            self.syn_exc = self.state_quant(self.syn_exc)
            self.syn_inh = self.state_quant(self.syn_inh)


def _scale(alpha: Tensor, beta: Tensor) -> Tensor:
    """What makes the potential of a spike that of the same charge, whatever the decays.

    Decays that learning has pushed to 0, or both to 1, leave it finite, and its gradient.
    """
    least = torch.finfo(alpha.dtype).tiny
    log_alpha, log_beta = (torch.log(d.clamp(min=least)) for d in (alpha, beta))
    gap = log_beta - log_alpha
    return log_alpha / torch.where(gap == 0, -CLOSEST, gap) + 1


def _check_order(alpha: Scalar, beta: Scalar) -> None:
    above, below = torch.as_tensor(alpha).detach(), torch.as_tensor(beta).detach()
    if not bool((below > 0).all() and (above > below).all()):
        raise ValueError(
            "alpha must be greater than beta, and beta greater than 0, got alpha from "
            f"{above.min().item():.4g} and beta from {below.min().item():.4g} to "
            f"{below.max().item():.4g}"
        )

"""The leaky neuron of the snnTorch family, and the one that fires at changes."""

from typing import Any, Unpack

import torch
from torch import Tensor

from .decay import decay
from .parameter import Scalar, check_positive
from .scan import exponential_scan
from .spiking_neuron import Options, SpikingNeuron, always

__all__ = ["DeltaLeaky", "Leaky"]


class Leaky(SpikingNeuron):
    r"""Leaky integrate-and-fire neuron with the reset in the next step.

    .. math::
        R[t] &= \Theta(U[t-1] - U_{thr}),\quad S[t] = \Theta(U[t] - U_{thr}) \\
        U[t] &= \beta U[t-1] + X[t] - R[t]\, U_{thr} \quad\text{('subtract')} \\
        U[t] &= \beta (1 - R[t])\, U[t-1] + X[t] \quad\text{('zero': the input is kept)} \\
        U[t] &= \beta U[t-1] + X[t] \quad\text{('none')}

    Arguments:
        beta: Decay :math:`\beta` of the membrane per step, in [0, 1]: a number, a tensor that
            broadcasts to the input (per channel [C, 1, 1], per neuron), or an nn.Parameter.
        learn_beta: Make beta a parameter: 'clamp' (True), 'sigmoid' or 'exp'; its gradient does
            not end at the border of [0, 1].
        options: As :class:`SpikingNeuron` takes them: threshold, reset_mechanism, ...
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        mem: membrane potential :math:`U`, [N, \*]; 0 before the first step. With
            ``reset_delay=False`` it is the potential after the reset.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
          (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> import torch
        >>> node = Leaky(beta=0.5, step_mode="m", store_v_seq=True)
        >>> node(torch.full((4, 1), 0.75)).flatten()
        tensor([0., 1., 0., 0.])
        >>> node.mem_seq.flatten()
        tensor([0.7500, 1.1250, 0.3125, 0.9062])
    """

    beta: Any

    def __init__(
        self, beta: Scalar, *, learn_beta: bool | str = False, **options: Unpack[Options]
    ) -> None:
        super().__init__(**options)
        self.set_decay("beta", beta, learn_beta)

    def neuronal_charge(self, x: Tensor) -> None:
        """Leak and integrate."""
        self.mem = decay(self.beta) * self.mem + x

    def scan(self, x_seq: Tensor) -> dict[str, Tensor] | None:
        """The potential at all steps."""
        return {"mem": exponential_scan(x_seq, decay(self.beta), self.mem)}

    def advance(self, x: Tensor, spike: Tensor | None) -> None:
        """A membrane reset to zero takes the step's input all the same."""
        if spike is not None and self.reset_mechanism == "zero":
            self.neuronal_reset(spike)
            self.neuronal_charge(x)
        else:
            super().advance(x, spike)


class DeltaLeaky(Leaky):
    r"""Leaky integrator that fires where its potential changes by more than a threshold.

    .. math::
        U[t] &= \beta U[t-1] + X[t] \\
        S[t] &= \Theta(|U[t] - U[t-1]| - \Delta)

    It is never reset. (snnTorch 1.0.0 does not clamp a learned beta, and returns a tuple whatever
    it is told.)

    Arguments:
        beta: Decay :math:`\beta` of the membrane per step, in [0, 1]: a number, a tensor that
            broadcasts to the input, or an nn.Parameter.
        delta_threshold: Threshold :math:`\Delta > 0` of the change in a step; likewise.
        learn_beta: Make beta a parameter: 'clamp' (True), 'sigmoid' or 'exp'.
        options: As :class:`SpikingNeuron` takes them, but for the threshold and the reset.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        mem: membrane potential :math:`U`, [N, \*]; 0 before the first step.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
          (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> import torch
        >>> DeltaLeaky(beta=1.0, step_mode="m")(torch.tensor([[0.5], [1.5], [-2.0]])).flatten()
        tensor([0., 1., 1.])
    """

    def __init__(
        self,
        beta: Scalar,
        delta_threshold: Scalar = 1.0,
        *,
        learn_beta: bool | str = False,
        **options: Unpack[Options],
    ) -> None:
        fixed = {"reset_mechanism": "none", "threshold": delta_threshold}
        super().__init__(beta, learn_beta=learn_beta, **always(DeltaLeaky, options, **fixed))
        check_positive("delta_threshold", self.threshold)

    def single_step_forward(self, x: Tensor) -> Tensor:
        """Charge, and fire at what that changes."""
        before = self.mem
        self.neuronal_charge(x)
        self.quantize_states()
        return self.fire_at_change(before)

    def scan(self, x_seq: Tensor) -> dict[str, Tensor] | None:
        """The potential at all steps, which firing does not change."""
        return super().scan(x_seq)

    def fire_at_change(self, before: Tensor) -> Tensor:
        """The spikes where the potential was ``before``."""
        return self.grade(self.fire((self.mem - before).abs() - self.threshold))

    def fire_at_all_steps(self, before: Tensor) -> Tensor:
        """The spikes of a sequence of potentials, ``self.mem``."""
        return self.fire_at_change(torch.cat([before.unsqueeze(0), self.mem[:-1]]))

    @property
    def delta_threshold(self) -> Scalar:
        """The threshold of the change in a step."""
        return self.threshold

"""Leaky neurons without reset, which are linear in their input until they fire."""

from typing import Any, Unpack

import torch
from torch import Tensor, nn

from .leaky import Leaky
from .parameter import Scalar, check_flag
from .spiking_neuron import Options, always

__all__ = ["LeakyParallel", "LinearLeaky", "StateLeaky"]


class StateLeaky(Leaky):
    r"""Leaky neuron that is never reset.

    .. math::
        U[t] &= \beta U[t-1] + X[t] \\
        S[t] &= \Theta(U[t] - U_{thr})

    A long sequence runs parallel in time where no compiled kernel serves, see
    :class:`SpikingNeuron`. (snnTorch's decays by :math:`e^{-(1-\beta)}`, which is not beta, in
    a convolution quadratic in T, and multiplies by the factor of graded spikes twice.)

    Arguments:
        beta: Decay :math:`\beta` of the membrane per step, in [0, 1]: a number, a tensor that
            broadcasts to the input (per channel [C, 1, 1], per neuron), or an nn.Parameter.
        learn_beta: Make beta a parameter: 'clamp' (True), 'sigmoid' or 'exp'.
        options: As :class:`SpikingNeuron` takes them, but for the reset.
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
        >>> StateLeaky(beta=0.5, step_mode="m")(torch.tensor([[1.5], [1.0], [0.0]])).flatten()
        tensor([1., 1., 0.])
    """

    def __init__(
        self, beta: Scalar, *, learn_beta: bool | str = False, **options: Unpack[Options]
    ) -> None:
        given = always(type(self), options, reset_mechanism="none")
        super().__init__(beta, learn_beta=learn_beta, **given)


class LinearLeaky(StateLeaky):
    r"""A linear map and the :class:`StateLeaky` neurons that it feeds.

    .. math::
        U[t] = \beta U[t-1] + W X[t] + b,\quad S[t] = \Theta(U[t] - U_{thr})

    Arguments:
        beta: Decay :math:`\beta` of the membrane per step, in [0, 1]: a number, a tensor that
            broadcasts to the output, or an nn.Parameter.
        in_features: Features of the input, its last dimension.
        out_features: Features of the output.
        bias: Add :math:`b`.
        learn_beta: Make beta a parameter: 'clamp' (True), 'sigmoid' or 'exp'.
        options: As :class:`SpikingNeuron` takes them, but for the reset.
    Shape:
        input: [N, \*, F_in] when step_mode is 's', [T, N, \*, F_in] when it is 'm'.
        output: likewise, with F_out.
    State:
        mem: membrane potential :math:`U`, [N, \*, F_out]; 0 before the first step.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
          (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> LinearLeaky(0.9, 8, 4, step_mode="m")(torch.ones(5, 2, 8)).shape
        torch.Size([5, 2, 4])
    """

    def __init__(
        self,
        beta: Scalar,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        learn_beta: bool | str = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(beta, learn_beta=learn_beta, **options)
        self.linear = nn.Linear(in_features, out_features, bias)

    def forward(self, x: Tensor, *inputs: Any) -> Tensor:
        r"""Spikes of one step [N, \*, F_in] or of a sequence, as ``step_mode`` says."""
        self.check_input(x)
        return super().forward(self.linear(x), *inputs)


class LeakyParallel(LinearLeaky):
    r"""A linear map and leaky neurons without reset, whose potentials may stop at 0.

    .. math::
        U[t] = \beta U[t-1] + W X[t] + b,\quad S[t] = \Theta(U[t] - U_{thr})

    snnTorch runs torch's RNN for it, which clips potentials below 0; ``rectify=True`` does so
    too, otherwise it is :class:`LinearLeaky` with the arguments the other way round. (There a
    vector of decays has no effect, nor has dropout, and a learned decay leaves [0, 1].)

    Arguments:
        input_size: Features of the input, its last dimension.
        hidden_size: Features of the output.
        beta: Decay :math:`\beta` per step, in [0, 1]: a number, a tensor that broadcasts to the
            output, or an nn.Parameter; None draws one for each neuron.
        bias: Add :math:`b`.
        learn_beta: Make beta a parameter: 'clamp' (True), 'sigmoid' or 'exp'.
        rectify: Keep the potential at 0 or above.
        options: As :class:`SpikingNeuron` takes them, but for the reset.
    Shape:
        input: [N, \*, F_in] when step_mode is 's', [T, N, \*, F_in] when it is 'm'.
        output: likewise, with F_out.
    State:
        mem: membrane potential :math:`U`, [N, \*, F_out]; 0 before the first step.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
          (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> LeakyParallel(8, 4, beta=0.9, step_mode="m")(torch.ones(5, 2, 8)).shape
        torch.Size([5, 2, 4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        beta: Scalar | None = None,
        bias: bool = True,
        *,
        learn_beta: bool | str = False,
        rectify: bool = False,
        **options: Unpack[Options],
    ) -> None:
        if beta is None:
            beta = torch.rand(hidden_size)
        super().__init__(beta, input_size, hidden_size, bias, learn_beta=learn_beta, **options)
        self.rectify = check_flag("rectify", rectify)

    def neuronal_charge(self, x: Tensor) -> None:
        """Leak and integrate, down to 0."""
        super().neuronal_charge(x)
        if self.rectify:
            self.mem = torch.relu(self.mem)

    def scan(self, x_seq: Tensor) -> dict[str, Tensor] | None:
        """A rectified potential is not linear in its input."""
        return None if self.rectify else super().scan(x_seq)

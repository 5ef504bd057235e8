"""Lapicque's neuron of the snnTorch family: a membrane as a circuit of resistor and capacitor."""

from typing import Any, Unpack

import torch
from torch import Tensor

from .decay import decay
from .parameter import Scalar, check_positive, show
from .scan import exponential_scan
from .spiking_neuron import Options, SpikingNeuron

__all__ = ["Lapicque"]


class Lapicque(SpikingNeuron):
    r"""Leaky integrate-and-fire neuron in the quantities of an RC circuit.

    .. math::
        H[t] &= \Bigl(1 - \frac{dt}{RC}\Bigr) U[t-1] + \frac{dt}{C} X[t] \\
        R[t] &= \Theta(U[t-1] - U_{thr}),\quad S[t] = \Theta(U[t] - U_{thr}) \\
        U[t] &= H[t] - R[t]\, U_{thr} \quad\text{('subtract')},\quad
            (1 - R[t])\, H[t] \quad\text{('zero': the input is swallowed)},\quad
            H[t] \quad\text{('none')}

    Given beta, it is the decay :math:`1 - dt / RC` itself, and the missing one of R and C follows
    from it. (snnTorch takes C from :math:`\beta = e^{-dt/RC}` and then decays by
    :math:`1 - dt/RC = 1 + \ln\beta`, which is another number.)

    Arguments:
        beta: Decay of the membrane per step, in [0, 1): a number, a tensor that broadcasts to the
            input, or an nn.Parameter. None where R and C are given.
        R: Resistance, greater than 0, in the unit of :math:`U / X`; likewise. 1 if only beta is
            given.
        C: Capacitance, greater than 0: R C has the unit of ``time_step``; likewise.
        time_step: Length dt of a step, no longer than R C.
        learn_beta: Make beta a parameter: 'clamp' (True), 'sigmoid' or 'exp'.
        options: As :class:`SpikingNeuron` takes them: threshold, reset_mechanism, ...
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        mem: membrane potential :math:`U`, [N, \*]; 0 before the first step.
    Raises:
        TypeError: An argument is of another type.
        ValueError: Too few or too many of beta, R and C are given, or one is out of range.
    References:
        | Lapicque's 1907 paper: from frogs to integrate-and-fire (Brunel and van Rossum, 2007)
        | https://doi.org/10.1007/s00422-007-0190-0

    Example:
        >>> node = Lapicque(R=5, C=1e-3, time_step=1e-3, step_mode="m", store_v_seq=True)
        >>> _ = node(torch.full((3, 1), 0.5))
        >>> node.mem_seq.flatten()
        tensor([0.5000, 0.9000, 1.2200])
    """

    beta: Any
    R: Any
    C: Any
    time_step: Any

    def __init__(
        self,
        beta: Scalar | None = None,
        R: Scalar | None = None,
        C: Scalar | None = None,
        time_step: Scalar = 1.0,
        *,
        learn_beta: bool | str = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check_circuit(beta, R, C, learn_beta)
        if R is None and C is None:
            R = 1.0
        for name, value in (("R", R), ("C", C), ("time_step", time_step)):
            if value is None:
                setattr(self, name, None)
            else:
                self.set_parameter(name, value)
                check_positive(name, getattr(self, name))
        if beta is None:
            self.beta = None
            _check_time_step(self.time_step, self.R, self.C)
        else:
            self.set_decay("beta", beta, learn_beta)
            _check_below_one(self.beta)

    def neuronal_charge(self, x: Tensor) -> None:
        """A forward Euler step of the circuit."""
        if self.beta is None:
            # In the precision and the order in which snnTorch computes: tensors, left to right.
            dt = torch.as_tensor(self.time_step, dtype=x.dtype)
            rc = self.R * torch.as_tensor(self.C, dtype=x.dtype)
            self.mem = x * self.R * (1 / rc) * dt + (1 - dt / rc) * self.mem
            return
        gain, beta = self._coefficients()
        self.mem = x * gain + beta * self.mem

    def _coefficients(self) -> tuple[Scalar, Scalar]:
        """What the input and the potential are multiplied by."""
        if self.beta is None:
            dt, rc = self.time_step, self.R * torch.as_tensor(self.C)
            return self.R * dt / rc, 1 - dt / rc
        beta = decay(self.beta)
        return self.R * (1.0 - beta) if self.C is None else self.time_step / self.C, beta

    def scan(self, x_seq: Tensor) -> dict[str, Tensor] | None:
        """The potential at all steps."""
        gain, beta = self._coefficients()
        return {"mem": exponential_scan(x_seq * gain, beta, self.mem)}

    def extra_repr(self) -> str:
        """The arguments, for print."""
        given = [(name, getattr(self, name)) for name in ("R", "C", "time_step")]
        shown = [f"{name}={show(value)}" for name, value in given if value is not None]
        return ", ".join([*shown, super().extra_repr()])


def _check_circuit(beta: Any, R: Any, C: Any, learn_beta: Any) -> None:
    given = [name for name, v in (("beta", beta), ("R", R), ("C", C)) if v is not None]
    if given not in (["beta"], ["beta", "R"], ["beta", "C"], ["R", "C"]):
        raise ValueError(
            f"Lapicque takes beta, or two of beta, R and C, got {' and '.join(given) or 'none'}: "
            "the third follows from 1 - time_step / (R C) = beta"
        )
    if beta is None and learn_beta:
        raise ValueError("learn_beta needs a beta to start from, got None: give beta, or learn R")


def _check_time_step(time_step: Scalar, R: Scalar, C: Scalar) -> None:
    ratio = torch.as_tensor(time_step).detach() / (torch.as_tensor(R) * C).detach()
    if not bool((ratio <= 1).all()):
        raise ValueError(
            "time_step must not be longer than R C, or the membrane overshoots, got "
            f"time_step={show(time_step)}, R={show(R)}, C={show(C)}"
        )


def _check_below_one(beta: Scalar) -> None:
    if not bool((torch.as_tensor(beta).detach() < 1).all()):
        raise ValueError("beta must be less than 1, as 1 is a circuit without resistance, got 1")

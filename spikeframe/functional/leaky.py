"""The leaky neuron in the terms of the tutorials: its decay, and one explicit step."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["tau_to_beta", "lif_step", "beta_to_tau"]

Scalar = float | Tensor


def tau_to_beta(tau: Scalar, dt: Scalar = 1.0, *, method: str = "exp") -> Scalar:
    r"""The decay per step of a membrane with time constant ``tau``.

    .. math::
        \beta = e^{-dt / \tau} \quad\text{(exp)} \qquad \beta = 1 - dt / \tau \quad\text{(euler)}

    A time constant in steps needs no dt: ``LIFNode(tau=tau)`` decays as 'euler' with dt = 1. One
    in seconds (or milliseconds) needs dt in seconds (or milliseconds).

    Arguments:
        tau: Time constant, in the unit of ``dt``; greater than 0 (than ``dt`` for 'euler').
        dt: Length of a step, in the unit of ``tau``.
        method: 'exp' for the exact decay, 'euler' for the forward Euler step.
    Raises:
        ValueError: tau or dt is out of range, or the method is unknown.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
          (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> round(tau_to_beta(5e-3, 1e-3), 3), tau_to_beta(5e-3, 1e-3, method="euler")
        (0.819, 0.8)
    """
    _check_method(method)
    least = 0.0 if method == "exp" else dt
    if not (_all(tau > least) and _all(torch.as_tensor(dt) > 0)):
        raise ValueError(
            f"dt must be greater than 0 and tau greater than {'0' if method == 'exp' else 'dt'} "
            f"for method={method!r}, got tau={tau} and dt={dt}"
        )
    if method == "euler":
        return 1 - dt / tau
    ratio = -dt / tau
    return ratio.exp() if isinstance(ratio, Tensor) else math.exp(ratio)


def beta_to_tau(beta: Scalar, dt: Scalar = 1.0, *, method: str = "exp") -> Scalar:
    r"""The time constant of a membrane that decays by ``beta`` per step.

    .. math::
        \tau = -dt / \ln\beta \quad\text{(exp)} \qquad \tau = dt / (1 - \beta)
        \quad\text{(euler)}

    Arguments:
        beta: Decay per step, greater than 0 and less than 1.
        dt: Length of a step; 1 for a time constant in steps, seconds for one in seconds.
        method: 'exp' or 'euler', as in :func:`tau_to_beta`.
    Returns:
        The time constant, in the unit of ``dt``.
    Raises:
        ValueError: beta is out of range, or the method is unknown.

    Example:
        >>> beta_to_tau(0.5, method="euler")
        2.0
    """
    _check_method(method)
    if not (_all(torch.as_tensor(beta) > 0) and _all(torch.as_tensor(beta) < 1)):
        raise ValueError(f"beta must be greater than 0 and less than 1, got {beta}")
    if method == "euler":
        return dt / (1 - beta)
    return -dt / (beta.log() if isinstance(beta, Tensor) else math.log(beta))


def lif_step(
    x: Tensor,
    v: Tensor,
    beta: Scalar,
    threshold: Scalar = 1.0,
    *,
    fire_on: str = "post",
    spike: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    r"""One step of a leaky integrate-and-fire neuron with the soft reset, state in and out.

    .. math::
        S &= \Theta(H - V_{th}),\ V = H - S V_{th},\ H = \beta V + X \quad\text{(post)} \\
        S &= \Theta(V - V_{th}),\ V = \beta V + X - S V_{th} \quad\text{(pre)}

    It fires above the threshold only. For a layer that keeps its state use a neuron of
    :mod:`spikeframe.neuron`; this is the neuron on one line, to look at and to take apart.

    Arguments:
        x: Input current, weights applied.
        v: Membrane potential before the step.
        beta: Decay per step, see :func:`tau_to_beta`.
        threshold: Firing threshold.
        fire_on: 'post' fires on the potential after this input, 'pre' on the one before it.
        spike: The spike as a function of the distance from the threshold, with its surrogate
            gradient (``surrogate.ATan(strict=True)``); a step without gradient by default.
    Returns:
        The spike, and the membrane potential after the step.
    Raises:
        ValueError: ``fire_on`` is unknown.

    Example:
        >>> lif_step(torch.tensor([0.5, 1.5]), torch.tensor([0.5, 0.5]), 0.5)
        (tensor([0., 1.]), tensor([0.7500, 0.7500]))
    """
    if fire_on not in ("pre", "post"):
        raise ValueError(f"fire_on must be 'pre' or 'post', got {fire_on!r}")
    h = beta * v + x
    u = (h if fire_on == "post" else v) - threshold
    s = (u > 0).to(h.dtype) if spike is None else spike(u)
    return s, h - s * threshold


def _check_method(method: str) -> None:
    if method not in ("exp", "euler"):
        raise ValueError(f"method must be 'exp' or 'euler', got {method!r}")


def _all(condition: bool | Tensor) -> bool:
    return bool(torch.as_tensor(condition).all())

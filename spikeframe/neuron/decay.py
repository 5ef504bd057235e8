r"""Decays per step: numbers in [0, 1], and three ways in which they are learned.

.. math::
    \beta &= \min(\max(w, 0), 1) \quad\text{('clamp', } w \text{ starts at } \beta \text{)} \\
    \beta &= \sigma(w) \quad\text{('sigmoid')} \\
    \beta &= e^{-e^w} = e^{-1/\tau},\ w = -\ln\tau \quad\text{('exp')}

Beyond the border of [0, 1] the gradient of 'clamp' is that of :math:`\beta` still, so that a
decay that an optimizer has pushed over it comes back. (snnTorch's is 0 there, for good.)
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .parameter import Scalar, show

__all__ = ["FORMS", "check_decay", "check_learn", "decay", "learnable"]

# What the parameter of a form is called (after the decay's name), is made from, and gives.
FORMS: dict[str, tuple[str, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "sigmoid": ("logit", torch.logit, torch.sigmoid),
    "exp": ("log_rate", lambda beta: (-beta.log()).log(), lambda w: (-w.exp()).exp()),
}


def decay(value: Scalar) -> Any:
    """A decay as the equations use it: a tensor's values clamped to [0, 1], its gradient whole.

    Example:
        >>> beta = torch.tensor([0.5, 1.2], requires_grad=True)
        >>> decay(beta).sum().backward()
        >>> decay(beta).detach(), beta.grad
        (tensor([0.5000, 1.0000]), tensor([1., 1.]))
    """
    if not isinstance(value, Tensor):
        return value
    fixed = value.detach()
    return fixed.clamp(0, 1) + (value - fixed)


def learnable(value: Scalar) -> nn.Parameter:
    """A parameter of its own that starts at a number or a tensor; a parameter is kept."""
    if isinstance(value, nn.Parameter):
        return value
    return nn.Parameter(torch.as_tensor(value, dtype=torch.get_default_dtype()).detach().clone())


def check_decay(name: str, value: Scalar) -> None:
    """Raise a ValueError unless every value is in [0, 1]."""
    values = torch.as_tensor(value).detach()
    if not bool(((values >= 0) & (values <= 1)).all()):
        given = f"values from {values.min().item():.4g} to {values.max().item():.4g}"
        raise ValueError(
            f"{name} must be in [0, 1], the share of a state that is left after a step, got "
            f"{given if values.dim() else show(value)}"
        )


def check_learn(name: str, learn: Any) -> str | None:
    """How a decay is learned: None, 'clamp' (True), 'sigmoid' or 'exp'."""
    if isinstance(learn, bool):
        return "clamp" if learn else None
    if learn != "clamp" and learn not in FORMS:
        raise ValueError(
            f"learn_{name} must be False, True ('clamp'), 'sigmoid' or 'exp', got {learn!r}"
        )
    return str(learn)

r"""One step of a neuron as a function: input and states in, spikes and states out.

Each runs the lines of the node of its name, on states that are passed rather than kept, and takes
the node's own arguments by name. For teaching, for control loops, and for recurrences of your own;
a layer of a net is the node.
"""

from typing import Any

from torch import Tensor

from ..base.traced import check_real_input
from .adaptive import AdExNode, IzhikevichNode
from .alif import ALIFNode
from .alpha import Alpha
from .clif import ComplementaryLIFNode
from .cuba import CUBALIFNode
from .ilif import ILIFNode
from .integrate_and_fire import IFNode
from .klif import KLIFNode
from .lapicque import Lapicque
from .leaky import Leaky
from .lif import LIFNode
from .nonlinear import EIFNode, QIFNode
from .raf import RAFNode
from .synaptic import Synaptic
from .ternary import TernaryIFNode, TernaryLIFNode

__all__ = [
    "adex_step",
    "alif_step",
    "alpha_step",
    "clif_step",
    "cuba_step",
    "eif_step",
    "if_step",
    "ilif_step",
    "izhikevich_step",
    "klif_step",
    "lapicque_step",
    "leaky_step",
    "lif_step",
    "qif_step",
    "raf_step",
    "synaptic_step",
    "ternary_if_step",
    "ternary_lif_step",
]

Pair = tuple[Tensor, Tensor]
Triple = tuple[Tensor, Tensor, Tensor]


def if_step(x: Tensor, v: Tensor, *, fire_on: str = "post", **arguments: Any) -> Pair:
    r"""One step of :class:`IFNode`.

    Arguments:
        x: Input X[t], [N, \*].
        v: Membrane potential V[t-1], of the same shape.
        fire_on: 'post' fires on the potential with this input, 'pre' on the one before it.
        arguments: The node's own.
    Returns:
        The spike S[t] and the membrane potential V[t].
    Raises:
        ValueError: ``fire_on`` is unknown, or an argument is outside of what is allowed.

    Example:
        >>> import torch
        >>> if_step(torch.tensor([0.5]), torch.tensor([0.75]), v_reset=None)
        (tensor([1.]), tensor([0.2500]))
    """
    return _step(IFNode(**arguments), x, fire_on, v=v)


def lif_step(x: Tensor, v: Tensor, *, fire_on: str = "post", **arguments: Any) -> Pair:
    r"""One step of :class:`LIFNode`.

    .. math::
        S &= \Theta(H - V_{th}) \quad\text{(post)} \qquad
        S = \Theta(V[t-1] - V_{th}) \quad\text{(pre)}

    With 'pre' a spike comes one step later, and the reset is taken off after that step's charge:
    ``lif_step(x, v, fire_on="pre", tau=tau, decay_input=False, v_reset=None)`` is
    :math:`V[t] = (1 - 1 / \tau) V[t-1] + X[t] - S[t] V_{th}`.

    Arguments:
        x: Input X[t], [N, \*].
        v: Membrane potential V[t-1], of the same shape.
        fire_on: 'post' fires on the potential with this input, 'pre' on the one before it.
        arguments: The node's own.
    Returns:
        The spike S[t] and the membrane potential V[t].
    Raises:
        ValueError: ``fire_on`` is unknown, or an argument is outside of what is allowed.

    Example:
        >>> import torch
        >>> x, v = torch.tensor([1.5]), torch.tensor([0.75])
        >>> lif_step(x, v, tau=2.0), lif_step(x, v, tau=2.0, fire_on="pre")
        ((tensor([1.]), tensor([0.])), (tensor([0.]), tensor([1.1250])))
    """
    return _step(LIFNode(**arguments), x, fire_on, v=v)


def qif_step(x: Tensor, v: Tensor, **arguments: Any) -> Pair:
    """One step of :class:`QIFNode`: spike and V, from input and V."""
    return _step(QIFNode(**arguments), x, v=v)


def eif_step(x: Tensor, v: Tensor, **arguments: Any) -> Pair:
    """One step of :class:`EIFNode`: spike and V, from input and V."""
    return _step(EIFNode(**arguments), x, v=v)


def klif_step(x: Tensor, v: Tensor, k: Tensor | float, **arguments: Any) -> Pair:
    """One step of :class:`KLIFNode`: spike and V, from input, V and the gain k."""
    return _step(KLIFNode(k=k, **arguments), x, v=v)


def ilif_step(x: Tensor, v: Tensor, **arguments: Any) -> Pair:
    """One step of :class:`ILIFNode`: count of spikes and V, from input and V."""
    return _step(ILIFNode(**arguments), x, v=v)


def ternary_if_step(x: Tensor, v: Tensor, **arguments: Any) -> Pair:
    """One step of :class:`TernaryIFNode`: spike and V, from input and V."""
    return _step(TernaryIFNode(**arguments), x, v=v)


def ternary_lif_step(x: Tensor, v: Tensor, **arguments: Any) -> Pair:
    """One step of :class:`TernaryLIFNode`: spike and V, from input and V."""
    return _step(TernaryLIFNode(**arguments), x, v=v)


def cuba_step(x: Tensor, v: Tensor, c: Tensor, **arguments: Any) -> Triple:
    """One step of :class:`CUBALIFNode`: spike, V and the current C, from input, V and C.

    Example:
        >>> import torch
        >>> cuba_step(torch.tensor([0.5]), torch.zeros(1), torch.zeros(1), v_threshold=1.0)
        (tensor([0.]), tensor([0.5000]), tensor([0.5000]))
    """
    return _step(CUBALIFNode(**arguments), x, v=v, c=c)


def izhikevich_step(x: Tensor, v: Tensor, w: Tensor, **arguments: Any) -> Triple:
    """One step of :class:`IzhikevichNode`: spike, V and adaptation W, from input, V and W."""
    return _step(IzhikevichNode(**arguments), x, v=v, w=w)


def adex_step(x: Tensor, v: Tensor, w: Tensor, **arguments: Any) -> Triple:
    """One step of :class:`AdExNode`: spike, V and adaptation W, from input, V and W."""
    return _step(AdExNode(**arguments), x, v=v, w=w)


def alif_step(x: Tensor, v: Tensor, a: Tensor, **arguments: Any) -> Triple:
    """One step of :class:`ALIFNode`: spike, V and trace A, from input, V and A."""
    return _step(ALIFNode(**arguments), x, v=v, a=a)


def clif_step(x: Tensor, v: Tensor, m: Tensor, **arguments: Any) -> Triple:
    """One step of :class:`ComplementaryLIFNode`: spike, V and M, from input, V and M."""
    return _step(ComplementaryLIFNode(**arguments), x, v=v, m=m)


def raf_step(x: Tensor, v: Tensor, u: Tensor, **arguments: Any) -> Triple:
    """One step of :class:`RAFNode`: spike, V and U, from input, V and U."""
    return _step(RAFNode(**arguments), x, v=v, u=u)


def leaky_step(x: Tensor, mem: Tensor, **arguments: Any) -> Pair:
    """One step of :class:`Leaky`: spike and U, from input and U.

    Example:
        >>> import torch
        >>> leaky_step(torch.tensor([0.75]), torch.tensor([1.5]), beta=0.5)
        (tensor([0.]), tensor([0.5000]))
    """
    return _step(Leaky(**arguments), x, mem=mem)


def lapicque_step(x: Tensor, mem: Tensor, **arguments: Any) -> Pair:
    """One step of :class:`Lapicque`: spike and U, from input and U."""
    return _step(Lapicque(**arguments), x, mem=mem)


def synaptic_step(x: Tensor, syn: Tensor, mem: Tensor, **arguments: Any) -> Triple:
    """One step of :class:`Synaptic`: spike, the current I and U, from input, I and U."""
    return _step(Synaptic(**arguments), x, syn=syn, mem=mem)


def alpha_step(
    x: Tensor, syn_exc: Tensor, syn_inh: Tensor, mem: Tensor, **arguments: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One step of :class:`Alpha`: spike, E, I and U, from input, E, I and U."""
    states = {"syn_exc": syn_exc, "syn_inh": syn_inh, "mem": mem}
    spike, *after = _step(Alpha(**arguments), x, "post", **states)
    return spike, after[0], after[1], after[2]


def _step(node: Any, x: Tensor, fire_on: str = "post", **states: Tensor) -> Any:
    """A step of a node made for it alone."""
    if fire_on not in ("pre", "post"):
        raise ValueError(f"fire_on must be 'pre' or 'post', got {fire_on!r}")
    check_real_input(node, x)
    for name, state in states.items():
        setattr(node, name, state)
    if fire_on == "post":
        spike = node.single_step_forward(x)
    else:
        spike = node.neuronal_fire()
        node.neuronal_charge(x)
        node.neuronal_reset(spike)
    return spike, *(getattr(node, name) for name in states)

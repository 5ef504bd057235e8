"""Turns SpikingJelly's neurons, alone or in a net, into ours; by their attributes alone."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from .. import surrogate
from .adaptive import IzhikevichNode
from .base_node import BaseNode
from .clif import ComplementaryLIFNode
from .cuba import CUBALIFNode
from .dsr import DSRIFNode, DSRLIFNode
from .glif import GatedLIFNode
from .ilif import ILIFNode
from .integrate_and_fire import IFNode
from .klif import KLIFNode
from .liaf import LIAFNode
from .lif import LIFNode
from .mpbn import MPBNLIFNode
from .nonlinear import EIFNode, QIFNode
from .online import OTTTLIFNode, SLTTLIFNode
from .plif import ParametricLIFNode
from .psn import PSN, MaskedPSN, SlidingPSN
from .raf import RAFNode
from .readout import NonSpikingIFNode, NonSpikingLIFNode
from .simple import SimpleIFNode, SimpleLIFNode
from .ternary import TernaryIFNode, TernaryLIFNode

__all__ = ["from_spikingjelly"]

# Classes of both packages whose arguments are their attributes.
ALIKE: dict[str, Callable[..., Any]] = {
    kind.__name__: kind
    for kind in (
        *(IFNode, LIFNode, QIFNode, EIFNode, IzhikevichNode, KLIFNode, CUBALIFNode, LIAFNode),
        *(ILIFNode, ComplementaryLIFNode, TernaryIFNode, TernaryLIFNode, RAFNode),
        *(PSN, MaskedPSN, SlidingPSN, NonSpikingIFNode, NonSpikingLIFNode),
        *(SimpleIFNode, SimpleLIFNode, DSRIFNode, DSRLIFNode, OTTTLIFNode, SLTTLIFNode),
        *(ParametricLIFNode, GatedLIFNode),
    )
}
# What their membrane is named by other means, or may not be told.
NOT_ATTRIBUTES = ("backend", "surrogate_function", "store_state_seqs")
# Surrogates of the same name whose gradient is another but for these values.
SURROGATES_DIFFER = {"SuperSpike": {"alpha": 1.0}}


def from_spikingjelly(module: nn.Module) -> Any:
    """A copy of a SpikingJelly neuron, or of a net, with our neurons in place of its.

    The neurons keep their arguments, surrogates, parameters and states, and give the spikes of
    SpikingJelly 2.0.0. (Release 0.0.0.0.14 rounds the decay of a LIFNode without decay_input
    differently.) Every other module is copied as it is, SpikingJelly's layers too. What resets
    itself there, readouts, DSR nodes and SlidingPSN in sequences, does so no longer: call
    ``functional.reset_net`` before each sequence.

    Arguments:
        module: A neuron of ``spikingjelly.activation_based.neuron``, or a net with some inside.
    Returns:
        The neuron, or the net.
    Raises:
        TypeError: ``module`` is not an nn.Module.
        ValueError: A neuron, or a setting of it, has no counterpart here; the text names it.

    Example:
        >>> from_spikingjelly(nn.Linear(2, 3))
        Linear(in_features=2, out_features=3, bias=True)
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be an nn.Module, got {type(module).__name__}")
    inside = module.named_modules()
    converted = {id(m): _Neuron(m, name).converted() for name, m in inside if _is_theirs(type(m))}
    # A neuron made already stands in for the one it was made from wherever that is met.
    return copy.deepcopy(module, converted)


class _Neuron:
    """A neuron of SpikingJelly's, read by its attributes.

    Arguments:
        theirs: The neuron.
        name: Where it is in the net, for errors.
    """

    def __init__(self, theirs: Any, name: str) -> None:
        self.theirs, self.kind = theirs, type(theirs).__name__
        self.place = f"{self.kind} {name!r}" if name else self.kind

    def converted(self) -> Any:
        """Our neuron."""
        self._check_class()
        if self.theirs._forward_hooks or self.theirs._forward_pre_hooks:
            raise self._lacks("its hooks, which would see another module: register them anew")
        ours = self._made()
        self._copy_tensors(ours)
        self._copy_states(ours)
        ours.train(self.theirs.training)
        return ours

    def _check_class(self) -> None:
        if not _is_theirs(type(self.theirs), itself=True):
            base = next(c for c in type(self.theirs).__mro__ if _is_theirs(c, itself=True))
            raise self._lacks(
                f"its own class, a subclass of {base.__name__}: subclass spikeframe's"
            )
        if self.kind not in ALIKE and self.kind not in ("HalfThresholdIFNode", "MPBNLIFNode"):
            raise self._lacks("its class")

    def _lacks(self, what: str) -> ValueError:
        return ValueError(f"{self.place} of SpikingJelly has no counterpart for {what}")

    def _made(self) -> Any:
        theirs = self.theirs
        if self.kind == "ParametricLIFNode":
            return self._make(ParametricLIFNode, init_tau=2.0)
        if self.kind == "MPBNLIFNode":
            return self._batch_normalized()
        if self.kind == "HalfThresholdIFNode":
            node = self._make(IFNode)
            node.set_reset_value("v", theirs.v_threshold / 2.0)
            return node
        if self.kind == "GatedLIFNode":
            channels = theirs.alpha.numel() if theirs.alpha.dim() else None
            return self._make(GatedLIFNode, T=theirs.T, inplane=channels)
        if self.kind == "MaskedPSN":
            return self._make(MaskedPSN, lambda_init=float(theirs.lambda_))
        if self.kind in ("DSRIFNode", "DSRLIFNode"):
            learned = isinstance(theirs.v_threshold, nn.Parameter)
            height = theirs.v_threshold.item()
            return self._make(ALIKE[self.kind], v_threshold=height, v_threshold_training=learned)
        return self._make(ALIKE[self.kind])

    def _make(self, kind: Callable[..., Any], **known: Any) -> Any:
        """Our class, its arguments read from attributes of the same names."""
        for name in _arguments(kind):
            if name == "surrogate_function" and hasattr(self.theirs, name):
                known[name] = self._surrogate(self.theirs.surrogate_function)
            elif name not in known and name not in NOT_ATTRIBUTES and hasattr(self.theirs, name):
                known[name] = _own(getattr(self.theirs, name))
        if "step_mode" in _arguments(kind):
            # Those that take sequences only do not say so.
            known.setdefault("step_mode", "m")
        try:
            return kind(**known)
        except (TypeError, ValueError) as error:
            raise self._lacks(f"its arguments: {error}") from error

    def _surrogate(self, function: Any) -> Any:
        """Our surrogate of the same name; another function as it is."""
        name = type(function).__name__
        ours = getattr(surrogate, name, None)
        if not _is_theirs(type(function), "surrogate") or ours is None:
            return function
        numbers: dict[str, Any] = {
            n: v for n, v in vars(function).items() if isinstance(v, float | int)
        }
        if name == "MultiLevelSpikeCount":
            numbers["grad_window"] = (numbers["grad_min"], numbers["grad_max"])
        for argument, value in SURROGATES_DIFFER.get(name, {}).items():
            if numbers[argument] != value:
                raise self._lacks(
                    f"its surrogate {name}({argument}={numbers[argument]}), whose formula is "
                    f"another than ours unless {argument} is {value}"
                )
        return ours(**{n: v for n, v in numbers.items() if n in _arguments(ours)})

    def _batch_normalized(self) -> Any:
        norm = self.theirs.vbn
        if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            raise self._lacks("a normalisation left out or folded: convert the node before")
        per_feature = isinstance(norm, nn.BatchNorm1d)
        argument = "out_features" if per_feature else "out_channels"
        return self._make(MPBNLIFNode, **{argument: norm.num_features})

    def _copy_tensors(self, ours: Any) -> None:
        """Parameters and buffers of the same names, in the shape that ours have."""
        known = dict(self.theirs.named_parameters()) | dict(self.theirs.named_buffers())
        for name, tensor in (*ours.named_parameters(), *ours.named_buffers()):
            if name in known:
                tensor.data = known[name].detach().clone().reshape(tensor.shape)
                tensor.requires_grad_(known[name].requires_grad)

    def _copy_states(self, ours: Any) -> None:
        for name, value in getattr(self.theirs, "_memories", {}).items():
            if name in ("queue", "time_step") and value:
                raise self._lacks("the steps it remembers: call its reset() before")
            if isinstance(value, Tensor) and name in dict(ours.named_memories()):
                ours.load_memory(name, value.detach().clone())


def _own(value: Any) -> Any:
    """A value that shares no memory."""
    if isinstance(value, nn.Parameter):
        return nn.Parameter(value.detach().clone(), value.requires_grad)
    return value.detach().clone() if isinstance(value, Tensor) else value


def _is_theirs(kind: type, room: str = "neuron", itself: bool = False) -> bool:
    """Whether a class, or one that it subclasses, is of a room of SpikingJelly's."""
    return any(
        cls.__module__.startswith("spikingjelly.") and f".{room}." in f"{cls.__module__}."
        for cls in ((kind,) if itself else kind.__mro__)
    )


def _arguments(kind: Callable[..., Any]) -> list[str]:
    """The names of a constructor's arguments, those of the bases that it passes on included."""
    names: dict[str, None] = {}
    for cls in inspect.getmro(kind):  # type: ignore[arg-type]
        if "__init__" not in vars(cls):
            continue
        arguments = inspect.signature(vars(cls)["__init__"]).parameters.values()
        names |= dict.fromkeys(a.name for a in arguments if a.kind not in (2, 4))
        if all(a.kind != a.VAR_KEYWORD for a in arguments) or cls is BaseNode:
            break
    return [name for name in names if name != "self"]

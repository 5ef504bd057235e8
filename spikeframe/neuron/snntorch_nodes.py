"""How each neuron of snnTorch 1.0.0 is made one of ours, and what has no counterpart."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .. import surrogate
from .alpha import Alpha
from .lapicque import Lapicque
from .leaky import DeltaLeaky, Leaky
from .lstm import SLSTM, SConv2dLSTM
from .recurrent import RLeaky, RSynaptic
from .spiking_neuron import SpikingNeuron
from .state_leaky import LeakyParallel, LinearLeaky, StateLeaky
from .synaptic import Synaptic

__all__ = ["MAKE", "problems", "warn_of_delay"]

# What snnTorch computes is what it chose in its constructor, whatever was assigned since.
_RESETS = {"_base_sub": "subtract", "_base_zero": "zero", "_base_int": "none"}


class Converter(Protocol):
    """Copies tensors, the same one for the same one."""

    def tensor(self, tensor: Tensor) -> Tensor:
        """A copy of a tensor or parameter."""
        ...


def problems(module: Any, kind: str) -> Iterator[str]:
    """The settings under which it makes other spikes than ours."""
    reset = _reset_mechanism(module)
    lstm = kind in ("SLSTM", "SConv2dLSTM")
    if getattr(module, "inhibition", False) and not lstm:
        if reset != "none":
            yield "inhibition=True: it resets the neurons that were suppressed"
        if module.graded_spikes_factor.ne(1).any():
            yield "inhibition=True and graded_spikes_factor: it drops the factor"
    if kind == "RSynaptic" and not module.reset_delay:
        yield "reset_delay=False: it fails, or ignores it"
    if kind == "SLSTM" and module.input_size != module.hidden_size:
        yield "input_size other than hidden_size: it forgets its states at every step"
    if kind == "Lapicque" and isinstance(module.beta, nn.Parameter):
        yield "learn_beta=True: its beta is not what the membrane decays by"
    if kind in ("StateLeaky", "LinearLeaky"):
        if module.kernel_truncation_steps is not None:
            yield "kernel_truncation_steps"
        if not module.output:
            yield "output=False: it returns potentials; read mem_seq"
        if isinstance(module.graded_spikes_factor, nn.Parameter):
            yield "learn_graded_spikes_factor=True: it multiplies by the factor twice"
    if kind == "LeakyParallel":
        weight = module.rnn.weight_hh_l0.detach()
        if not torch.equal(weight, weight.diag().diag()):
            yield "weight_hh_enable=True: every potential enters every other"


def warn_of_delay(module: Any, where: str) -> None:
    if getattr(module, "reset_delay", True) is False and _reset_mechanism(module) == "subtract":
        warnings.warn(
            f"{where} has reset_delay=False: its spikes are equal unless a potential is above the "
            "threshold after its reset, where snnTorch subtracts a second time",
            stacklevel=4,
        )


def _reset_mechanism(module: Any) -> str:
    function = getattr(module, "state_function", None)
    return "none" if function is None else _RESETS[function.__name__]


def _options(module: Any, to: Converter, *, reset: bool = True) -> dict[str, Any]:
    """The arguments that all neurons of the family take."""
    options = {
        "threshold": _value(module.threshold, to),
        "graded_spikes_factor": _value(module.graded_spikes_factor, to),
        "surrogate_function": _surrogate(module.spike_grad),
        "state_quant": getattr(module, "state_quant", None) or None,
    }
    if type(module).__name__ not in ("SLSTM", "SConv2dLSTM"):
        options["inhibition"] = bool(getattr(module, "inhibition", False))
    if reset:
        options["reset_mechanism"] = _reset_mechanism(module)
    if getattr(module, "reset_delay", True) is False:
        options["reset_delay"] = False
    return options


def _surrogate(function: Any) -> Callable[[Tensor], Tensor]:
    """The surrogate gradient of that name, with its numbers; the function itself otherwise."""
    if getattr(getattr(function, "__self__", None), "__name__", "") == "ATan":
        return surrogate.ATan(strict=True)
    if not getattr(function, "__module__", "").startswith("snntorch"):
        return function
    name = getattr(function, "__qualname__", "").partition(".")[0]
    cells = getattr(function, "__closure__", None) or ()
    numbers = [cell.cell_contents for cell in cells]
    if not all(isinstance(number, int | float) for number in numbers):
        return function
    made: dict[str, Callable[..., Any]] = {
        "atan": surrogate.ATan,
        "fast_sigmoid": surrogate.FastSigmoid,
        "sigmoid": surrogate.Sigmoid,
        "straight_through_estimator": surrogate.StraightThroughEstimator,
    }
    return made[name](*numbers, strict=True) if name in made else function


def _value(tensor: Tensor, to: Converter) -> Any:
    """What the constructors take for a buffer or a parameter."""
    if tensor.dim() == 0 and not isinstance(tensor, nn.Parameter):
        return _number(tensor)
    return to.tensor(tensor)


def _weights(source: nn.Module, target: nn.Module, to: Converter) -> None:
    """Copy a layer's parameters into another of the same shape."""
    for key, parameter in source.named_parameters():
        setattr(target, key, to.tensor(parameter))


def _number(tensor: Tensor) -> float:
    """The value of a 0-d tensor, in as few digits as tell it from its neighbours."""
    short = float(f"{tensor.item():.7g}")
    return short if torch.tensor(short, dtype=tensor.dtype) == tensor else float(tensor.item())


def _leaky(module: Any, to: Converter) -> SpikingNeuron:
    return Leaky(_value(module.beta, to), **_options(module, to))


def _delta_leaky(module: Any, to: Converter) -> SpikingNeuron:
    options = _options(module, to, reset=False)
    ignored = ("threshold", "graded_spikes_factor", "state_quant", "inhibition", "reset_delay")
    options = {key: value for key, value in options.items() if key not in ignored}
    return DeltaLeaky(_value(module.beta, to), module.delta_threshold, **options)


def _synaptic(module: Any, to: Converter) -> SpikingNeuron:
    return Synaptic(_value(module.alpha, to), _value(module.beta, to), **_options(module, to))


def _alpha(module: Any, to: Converter) -> SpikingNeuron:
    return Alpha(_value(module.alpha, to), _value(module.beta, to), **_options(module, to))


def _lapicque(module: Any, to: Converter) -> SpikingNeuron:
    circuit = {name: _value(getattr(module, name), to) for name in ("R", "C", "time_step")}
    return Lapicque(**circuit, **_options(module, to))


def _feedback(module: Any, to: Converter) -> dict[str, Any]:
    if not module.all_to_all:
        return {"V": _value(module.V, to), "all_to_all": False, "learn_recurrent": False}
    if module.linear_features:
        return {"linear_features": module.linear_features}
    return {"conv2d_channels": module.conv2d_channels, "kernel_size": module.kernel_size}


def _rleaky(module: Any, to: Converter) -> SpikingNeuron:
    node = RLeaky(_value(module.beta, to), **_feedback(module, to), **_options(module, to))
    if node.recurrent is not None:
        _weights(module.recurrent, node.recurrent, to)
    return node


def _rsynaptic(module: Any, to: Converter) -> SpikingNeuron:
    options = {**_feedback(module, to), **_options(module, to)}
    node = RSynaptic(_value(module.alpha, to), _value(module.beta, to), **options)
    if node.recurrent is not None:
        _weights(module.recurrent, node.recurrent, to)
    return node


def _slstm(module: Any, to: Converter) -> SpikingNeuron:
    sizes = module.input_size, module.hidden_size
    node = SLSTM(*sizes, bool(module.bias), **_options(module, to))
    _weights(module.lstm_cell, node.lstm_cell, to)
    return node


def _sconv2dlstm(module: Any, to: Converter) -> SpikingNeuron:
    node = SConv2dLSTM(
        *(module.in_channels, module.out_channels, module.kernel_size, bool(module.bias)),
        *(module.max_pool or None, module.avg_pool or None),
        **_options(module, to),
    )
    _weights(module.conv, node.conv, to)
    return node


def _decay_by_tau(module: Any, to: Converter) -> dict[str, Any]:
    """snnTorch's kernel decays by exp(-1 / tau), and multiplies by the factor twice."""
    options = _options(module, to, reset=False)
    options["graded_spikes_factor"] = module.graded_spikes_factor.detach() ** 2
    learned = isinstance(module.tau, nn.Parameter)
    beta = torch.exp(-1.0 / module.tau.detach())
    return {"beta": beta, "learn_beta": "exp" if learned else False, **options}


def _state_leaky(module: Any, to: Converter) -> SpikingNeuron:
    return StateLeaky(**_decay_by_tau(module, to))


def _linear_leaky(module: Any, to: Converter) -> SpikingNeuron:
    size = module.linear.in_features, module.linear.out_features
    options = _decay_by_tau(module, to)
    node = LinearLeaky(options.pop("beta"), *size, module.linear.bias is not None, **options)
    _weights(module.linear, node.linear, to)
    return node


def _leaky_parallel(module: Any, to: Converter) -> SpikingNeuron:
    rnn = module.rnn
    options = _options(module, to, reset=False)
    node = LeakyParallel(
        *(rnn.input_size, rnn.hidden_size, rnn.weight_hh_l0.detach().diag().clone(), rnn.bias),
        learn_beta=rnn.weight_hh_l0.requires_grad,
        rectify=True,
        **options,
    )
    with torch.no_grad():
        node.linear.weight.copy_(rnn.weight_ih_l0)
        if rnn.bias:
            node.linear.bias.copy_(rnn.bias_ih_l0 + rnn.bias_hh_l0)
    return node


MAKE: dict[str, Callable[[Any, Converter], SpikingNeuron]] = {
    "Leaky": _leaky,
    "DeltaLeaky": _delta_leaky,
    "Synaptic": _synaptic,
    "Alpha": _alpha,
    "Lapicque": _lapicque,
    "RLeaky": _rleaky,
    "RSynaptic": _rsynaptic,
    "SLSTM": _slstm,
    "SConv2dLSTM": _sconv2dlstm,
    "StateLeaky": _state_leaky,
    "LinearLeaky": _linear_leaky,
    "LeakyParallel": _leaky_parallel,
}

r"""What every neuron of the SpikingJelly family shares: charge, fire, reset.

.. math::
    H[t] &= f(V[t-1], X[t]) \\
    S[t] &= \Theta(H[t] - V_{th}) \\
    V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{(hard reset)} \\
    V[t] &= H[t] - S[t] V_{th} \quad\text{(soft reset, } V_{reset} \text{ is None)}

:math:`X` is the input, :math:`H` the membrane potential before and :math:`V` after the reset,
:math:`S` the spike; :math:`V[0]` is :math:`V_{reset}`, or 0 with a soft reset. A neuron is its
:math:`f`, one hook in plain torch; a backend may run the hooks as one fused kernel.
"""

import inspect
import math
import numbers
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .. import base, kernels, surrogate
from ..base.guard import check_stateful_call, note_backward
from ..base.location import Location

__all__ = ["BaseNode", "Scalar"]

Scalar = float | Tensor
"""A number, a tensor (per channel, per neuron), or an nn.Parameter."""

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class BaseNode(base.MemoryModule):
    r"""Base class of neurons: subclass it and write ``neuronal_charge``.

    .. math::
        S[t] &= \Theta(H[t] - V_{th}) \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    States and arithmetic are float32 (float64 for a float64 input); spikes have the input's
    floating-point dtype. Integer and bool inputs are read as float32.

    Arguments:
        v_threshold: Threshold :math:`V_{th}`, in units of the membrane potential; a number, a
            tensor that broadcasts to [N, \*] (per channel [C, 1, 1], per neuron), or an
            nn.Parameter. A node with threshold ``inf`` never fires and is never reset: a readout.
        v_reset: Reset potential :math:`V_{reset}`, likewise, or None for the soft reset.
        surrogate_function: The spike as a function of :math:`H - V_{th}`, with a surrogate
            gradient; any callable. ``surrogate.Sigmoid()`` by default, a new one per node.
        detach_reset: Keep the reset's dependence on the spike out of the backward.
        step_mode: 's' for one step per call, 'm' for a sequence.
        backend: 'auto', 'eager', 'torch', 'cpp', 'triton' or 'cupy'.
        store_v_seq: Keep :math:`V[t]` of all steps as ``v_seq``, [T, N, \*].
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; a number before the first step.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.

    Example:
        >>> class LeakyNode(BaseNode):
        ...     def neuronal_charge(self, x):
        ...         self.v = 0.9 * self.v + x
        >>> LeakyNode(step_mode="m")(torch.full((4, 1), 0.4)).flatten()
        tensor([0., 0., 1., 0.])
    """

    v: Any
    _equation_parameters: tuple[str, ...] = ()
    v_threshold: Scalar
    v_reset: Scalar | None

    def __init__(
        self,
        v_threshold: Scalar = 1.0,
        v_reset: Scalar | None = 0.0,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        detach_reset: bool = False,
        step_mode: str = "s",
        backend: str = "auto",
        store_v_seq: bool = False,
    ) -> None:
        super().__init__()
        self.set_parameter("v_threshold", v_threshold)
        if v_reset is None:
            self.v_reset = None
        else:
            self.set_parameter("v_reset", v_reset)
            _check_finite("v_reset", self.v_reset)
        self.surrogate_function = _check_surrogate(surrogate_function)
        self.detach_reset = check_flag("detach_reset", detach_reset)
        self.store_v_seq = check_flag("store_v_seq", store_v_seq)
        self.step_mode = step_mode
        self.backend = backend
        self.register_memory("v", None)

    def neuronal_charge(self, x: Tensor) -> None:
        """The neuron's own line: set ``self.v`` to H[t] from V[t-1] and the input X[t]."""
        raise NotImplementedError(
            f"{type(self).__name__} must define neuronal_charge(x), which updates self.v"
        )

    def neuronal_fire(self) -> Tensor:
        """The spike S[t] from H[t]."""
        return self.surrogate_function(self.v - self.v_threshold)

    def neuronal_reset(self, spike: Tensor) -> None:
        """Set ``self.v`` to V[t] from H[t] and the spike S[t]."""
        spike_d = spike.detach() if self.detach_reset else spike
        if self.v_reset is None:
            self.v = self.jit_soft_reset(self.v, spike_d, self.v_threshold)
        else:
            self.v = self.jit_hard_reset(self.v, spike_d, self.v_reset)

    def single_step_forward(self, x: Tensor, *inputs: Any) -> Tensor:
        """Charge, fire, reset."""
        self.v_float_to_tensor(x)
        self.neuronal_charge(x, *inputs)
        spike = self.neuronal_fire()
        self.neuronal_reset(spike)
        return spike

    def multi_step_forward(self, x_seq: Tensor, *input_seqs: Any) -> Tensor:
        """The whole sequence, by the backend that ``backend`` names."""
        seqs = (x_seq, *input_seqs)
        kernels.check_sequences(seqs)
        self._enter(x_seq.detach()[0])
        self.forget_records()
        call = kernels.Call(self, seqs)
        return kernels.choose(self, self.backend, x_seq.device, call).run(call)

    def forward(self, x: Tensor, *inputs: Any) -> Tensor:
        r"""Spikes of one step [N, \*] or of a sequence [T, N, \*], as ``step_mode`` says."""
        check_stateful_call(self)
        self._check_input(x)
        entering = dict(self._memories)
        try:
            spikes = self._run(x, *inputs)
        except Exception:
            # A step that failed half-way must not be what the next one starts from.
            self._memories = entering
            raise
        note_backward(self, spikes, self.v)
        return spikes

    def eager_step(self, x: Tensor, *inputs: Any) -> Tensor:
        """One step of the hooks in the precision of the state, spikes cast back."""
        spike = self.single_step_forward(*(self._in_state_precision(i) for i in (x, *inputs)))
        if spike.shape != x.shape:
            raise ValueError(
                f"{Location(self)}: an input [N, *] of shape {list(x.shape)} gave spikes of shape "
                f"{list(spike.shape)}: parameters must broadcast to the input"
            )
        if self.store_v_seq:
            self.record("v_seq", self.v)
        return spike.to(x.dtype) if x.is_floating_point() else spike

    @property
    def v_seq(self) -> Tensor | None:
        r"""V of the last sequence in 'm', or of all steps since the reset in 's', [T, N, \*].

        None unless ``store_v_seq``. A subclass that loops over time itself may assign it.
        """
        return self.recorded("v_seq")

    @v_seq.setter
    def v_seq(self, v_seq: Tensor | None) -> None:
        self._records["v_seq"] = [] if v_seq is None else [v_seq]

    @property
    def n_inputs(self) -> int:
        """The number of inputs of a step: the arguments that ``neuronal_charge`` needs."""
        needed = inspect.signature(self.neuronal_charge).parameters.values()
        return sum(p.default is p.empty and p.kind in _POSITIONAL for p in needed)

    @property
    def backend(self) -> str:
        """What runs a sequence: 'auto' or a name of ``kernels.NAMES``; checked when it runs."""
        return self._backend

    @backend.setter
    def backend(self, backend: str) -> None:
        self._backend = kernels.check_name(backend)

    @property
    def supported_backends(self) -> tuple[str, ...]:
        """The backends of this version; ``kernels.why_not`` tells what keeps one from a case."""
        return ("auto", *kernels.BACKENDS)

    def get_reset_value(self, name: str) -> Any:
        """The value that the memory ``name`` takes at a reset; for v, the reset potential."""
        value = super().get_reset_value(name)
        if name == "v" and value is None:
            return 0.0 if self.v_reset is None else self.v_reset
        return value

    def set_parameter(self, name: str, value: Scalar) -> None:
        """Set a number, tensor or nn.Parameter that the equations read.

        A tensor is kept as a buffer, in torch's default dtype, as a number would be.

        Raises:
            TypeError: It is none of these, or not real.
            ValueError: It is nan.
        """
        if isinstance(value, Tensor):
            check_real(name, value)
        if isinstance(value, nn.Parameter):
            setattr(self, name, value)
        elif isinstance(value, Tensor):
            self.register_buffer(name, value.to(torch.get_default_dtype()))
        else:
            setattr(self, name, check_number(name, value))
        self._equation_parameters = (*self._equation_parameters, name)

    def v_float_to_tensor(self, x: Tensor) -> None:
        """Give a membrane potential that is still a number the shape of the input."""
        if isinstance(self.v, int | float):
            self.v = torch.full_like(x.detach(), float(self.v))

    @staticmethod
    def jit_hard_reset(v: Tensor, spike: Tensor, v_reset: Scalar) -> Tensor:
        """The membrane potential at v_reset where it spiked."""
        return spike * v_reset + (1.0 - spike) * v

    @staticmethod
    def jit_soft_reset(v: Tensor, spike: Tensor, v_threshold: Scalar) -> Tensor:
        """The membrane potential less the threshold where it spiked."""
        return v - spike * finite_threshold(v_threshold)

    def extra_repr(self) -> str:
        """The arguments, for print."""
        reset = "None" if self.v_reset is None else show(self.v_reset)
        return (
            f"v_threshold={show(self.v_threshold)}, v_reset={reset}, "
            f"detach_reset={self.detach_reset}, step_mode={self.step_mode}, "
            f"backend={self.backend}"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "surrogate_function" or name in self._equation_parameters:
            # torch refuses to put a function where a module is, or a number where a tensor is.
            for kind in ("_modules", "_parameters", "_buffers"):
                self.__dict__[kind].pop(name, None)
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                self.__dict__.pop(name, None)
                self.register_buffer(name, value)
                return
        super().__setattr__(name, value)

    def _run(self, x: Tensor, *inputs: Any) -> Tensor:
        if self.step_mode == "m":
            return self.multi_step_forward(x, *inputs)
        self._enter(x)
        if self.backend in ("auto", "eager"):
            # One step is little work, for which a fused kernel costs more than it saves.
            return self.eager_step(x, *inputs)
        call = kernels.Call(self, [_as_sequence(value) for value in (x, *inputs)])
        return kernels.choose(self, self.backend, x.device, call).run(call).squeeze(0)

    def _enter(self, x: Tensor) -> None:
        """Bring states into the shape of a step ``x``; check the parameters against it."""
        for name in self._equation_parameters:
            value = getattr(self, name, None)
            if isinstance(value, Tensor):
                self._check_parameter(name, value, x)
        shaped = [n for n in self._memories if isinstance(self.get_reset_value(n), float)]
        self.fit_memories(x, shaped if "v" in shaped else ["v", *shaped])

    def _check_parameter(self, name: str, value: Tensor, x: Tensor) -> None:
        sizes = zip(reversed(value.shape), reversed(x.shape), strict=False)
        if value.dim() > x.dim() or any(n not in (1, size) for n, size in sizes):
            raise ValueError(
                f"{Location(self)}: {name} has shape {list(value.shape)}, which does not "
                f"broadcast to the input {list(x.shape)}: give it one value per neuron, or per "
                "channel ([C, 1, 1] for an input [N, C, H, W])"
            )
        if value.dtype == torch.float64 and value.dim() and x.dtype != torch.float64:
            raise ValueError(
                f"{Location(self)}: {name} is float64 but the input is {x.dtype}: call "
                "net.float(), or pass float64 inputs"
            )

    def _check_input(self, x: Tensor) -> None:
        if not isinstance(x, Tensor):
            raise TypeError(f"{Location(self)} takes a tensor, got {type(x).__name__}")
        if x.is_complex():
            raise TypeError(f"{Location(self)} takes real inputs, got {x.dtype}")

    def _in_state_precision(self, x: Any) -> Any:
        if not isinstance(x, Tensor) or x.dtype == torch.float64:
            return x
        return x.to(torch.float32)


def finite_threshold(v_threshold: Scalar) -> Scalar:
    """The amount a soft reset subtracts: 0 for an infinite threshold, which is never reached.

    Written out, 0 spikes times an infinite threshold is nan.
    """
    if isinstance(v_threshold, Tensor):
        return torch.where(torch.isinf(v_threshold), 0.0, v_threshold)
    return 0.0 if abs(v_threshold) == math.inf else v_threshold


def check_real(name: str, value: Tensor) -> None:
    """Raise a TypeError or ValueError unless the values are real numbers."""
    if value.is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name} must have real values, got {value.dtype}")
    if value.is_floating_point() and bool(value.detach().isnan().any()):
        raise ValueError(f"{name} must have values that are numbers, got nan among them")


def check_number(name: str, value: Any) -> float:
    """Return a real number as a float.

    Raises:
        TypeError: It is something else (a bool, a string).
        ValueError: It is nan.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"{name} must be a number, a tensor or an nn.Parameter, got {value!r} "
            f"({type(value).__name__})"
        )
    if math.isnan(value):
        raise ValueError(f"{name} must be a number, got nan")
    return float(value)


def _check_finite(name: str, value: Any) -> None:
    if not bool(torch.as_tensor(value).isfinite().all()):
        raise ValueError(f"{name} must be finite, got {show(value)}")


def check_flag(name: str, value: Any) -> bool:
    """Return a bool.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def show(value: Scalar) -> str:
    """A number, or a tensor by its shape."""
    if isinstance(value, Tensor):
        kind = "Parameter" if isinstance(value, nn.Parameter) else "tensor"
        return f"{value.item():.4g}" if value.dim() == 0 else f"{kind}{list(value.shape)}"
    return f"{value}"


def _as_sequence(value: Any) -> Any:
    return value.unsqueeze(0) if isinstance(value, Tensor) else value


def _check_surrogate(function: Any) -> Callable[[Tensor], Tensor]:
    if function is None:
        return surrogate.Sigmoid()
    if not callable(function):
        raise TypeError(
            "surrogate_function must be callable, such as surrogate.ATan(), got "
            f"{type(function).__name__}"
        )
    if isinstance(function, type) and issubclass(function, nn.Module):
        raise TypeError(
            f"surrogate_function must be an instance: write {function.__name__}() rather than "
            f"{function.__name__}"
        )
    return function

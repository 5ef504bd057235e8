r"""What the neurons of the snnTorch family share: a reset that comes a step later.

.. math::
    R[t] &= \Theta(U[t-1] - U_{thr}) \\
    U[t] &= f(U[t-1], X[t]) - R[t]\, U_{thr} \quad\text{('subtract')} \\
    U[t] &= (1 - R[t])\, f(U[t-1], X[t]) \quad\text{('zero')} \\
    U[t] &= f(U[t-1], X[t]) \quad\text{('none')} \\
    S[t] &= \Theta(U[t] - U_{thr})

:math:`X` is the input, :math:`U` the membrane potential, :math:`S` the spike; :math:`\Theta(u)` is
1 for u > 0 only. The reset has no gradient. What 'zero' does to the input of the step is each
neuron's own: :class:`Leaky` keeps it, the others swallow it, as here. The dynamics, and with them
the spikes, are snnTorch 1.0.0's, bit for bit, except where a neuron says so.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypedDict

import torch
from torch import Tensor, nn

from .. import kernels, surrogate
from ..base.skippable import skippable
from .decay import FORMS, check_decay, check_learn, learnable
from .node import Node
from .parameter import Scalar, check_flag, finite_threshold, show

__all__ = ["RESETS", "Options", "SpikingNeuron", "always"]

RESETS = ("subtract", "zero", "none")

_DECAYS = ("alpha", "beta")
_UNCOMPILED = ("torch", "eager")

# The steps that a scan stands for: what overrides one of them brings its own scan, or is a loop.
_SCANNED = (
    "single_step_forward",
    "advance",
    "last_spike",
    "neuronal_charge",
    "quantize_states",
    "neuronal_fire",
    "neuronal_reset",
)

# From 64 steps on, and to 256 neurons, a scan on one CPU core is faster than the torch loop (by
# 1.5 to 38 times at T = 4096); a GPU is not filled by more neurons than that either.
LONG, NARROW = 64, 256


class Options(TypedDict, total=False):
    """The arguments that all neurons of the family take; see :class:`SpikingNeuron`."""

    threshold: Scalar
    learn_threshold: bool
    surrogate_function: Callable[[Tensor], Tensor] | None
    reset_mechanism: str
    reset_delay: bool
    inhibition: bool
    graded_spikes_factor: Scalar
    learn_graded_spikes_factor: bool
    state_quant: Callable[[Tensor], Tensor] | None
    step_mode: str
    backend: str
    store_v_seq: bool
    store_state_seqs: bool


class SpikingNeuron(Node):
    r"""Base of the snnTorch family: subclass it and write ``neuronal_charge``.

    With ``reset_delay=False`` the reset comes in the step of its spike, with its gradient:

    .. math::
        H[t] = f(U[t-1], X[t]),\quad S[t] = \Theta(H[t] - U_{thr}),\quad
        U[t] = H[t] - S[t]\, U_{thr} \ \text{or}\ (1 - S[t])\, H[t]

    (snnTorch subtracts the threshold a second time from a potential that is still above it, and
    so silences a neuron with strong input.)

    With ``backend='auto'``, where no compiled kernel serves, a neuron that is never reset runs
    parallel in time over a long sequence (a scan, of work linear in T); its potentials then differ
    from the loop's in the last bits.

    With ``inhibition`` the winner takes all: of the neurons of a sample (all dimensions but the
    first; all neurons of an input [N]) only the one furthest above its threshold may fire, and
    only the one that did is reset. (snnTorch resets the suppressed ones as well, takes [N, C]
    only, and drops the graded spikes' factor.)

    Arguments:
        threshold: Threshold :math:`U_{thr}`: a number, a tensor that broadcasts to [N, \*] (per
            channel [C, 1, 1], per neuron), or an nn.Parameter. With ``inf`` it never fires.
        learn_threshold: Make the threshold a parameter.
        surrogate_function: The spike as a function of :math:`U - U_{thr}`, with a surrogate
            gradient; any callable. ``surrogate.ATan(strict=True)`` by default, which fires above
            the threshold only.
        reset_mechanism: 'subtract', 'zero' or 'none'; may be assigned at any time.
        reset_delay: Reset in the step after the spike, without gradient, or in its own.
        inhibition: Let the winner of each sample fire alone.
        graded_spikes_factor: What a spike is worth; like threshold. The reset does not know it.
        learn_graded_spikes_factor: Make the factor a parameter.
        state_quant: A function that the states go through after every update, such as a
            quantiser; None for none.
        step_mode: 's' for one step per call, 'm' for a sequence.
        backend: 'auto', 'eager', 'torch', 'cpp', 'triton' or 'cupy'.
        store_v_seq: Keep :math:`U[t]` of all steps as ``mem_seq``, [T, N, \*].
        store_state_seqs: Keep every state of all steps, as ``state_seqs`` by name.
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
        >>> class Half(SpikingNeuron):
        ...     def neuronal_charge(self, x):
        ...         self.mem = 0.5 * self.mem + x
        >>> node = Half(step_mode="m", store_v_seq=True)
        >>> node(torch.tensor([[1.5], [1.0], [1.0]])).flatten(), node.mem_seq.flatten()
        (tensor([1., 0., 1.]), tensor([1.5000, 0.7500, 1.3750]))
    """

    membrane: ClassVar[str] = "mem"
    mem: Any

    def __init__(
        self,
        threshold: Scalar = 1.0,
        *,
        learn_threshold: bool = False,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        reset_mechanism: str = "subtract",
        reset_delay: bool = True,
        inhibition: bool = False,
        graded_spikes_factor: Scalar = 1.0,
        learn_graded_spikes_factor: bool = False,
        state_quant: Callable[[Tensor], Tensor] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(surrogate_function, **options)
        self.set_learnable("threshold", threshold, learn_threshold)
        self.reset_mechanism = reset_mechanism
        self.reset_delay = check_flag("reset_delay", reset_delay)
        self.inhibition = check_flag("inhibition", inhibition)
        self.set_learnable(
            "graded_spikes_factor", graded_spikes_factor, learn_graded_spikes_factor
        )
        if not (state_quant is None or callable(state_quant)):
            raise TypeError(f"state_quant must be a function or None, got {state_quant!r}")
        self.state_quant = state_quant
        self.register_memory("mem", 0.0)

    def default_surrogate(self) -> Callable[[Tensor], Tensor]:
        """A new ``surrogate.ATan(strict=True)``."""
        return surrogate.ATan(strict=True)

    def neuronal_charge(self, x: Tensor) -> None:
        """The neuron's own line: update ``self.mem`` (and other states) by the input X[t]."""
        raise NotImplementedError(
            f"{type(self).__name__} must define neuronal_charge(x), which updates self.mem"
        )

    def neuronal_fire(self) -> Tensor:
        """The spike, before it is graded."""
        return self.fire(self.mem - self.threshold)

    def fire(self, u: Tensor) -> Tensor:
        """The spike at a distance ``u`` from the threshold: the winner's alone by inhibition."""
        spike = self.surrogate_function(u)
        return spike * winner(u) if self.inhibition else spike

    def grade(self, spike: Tensor) -> Tensor:
        """A spike times what it is worth."""
        factor = self.graded_spikes_factor
        return spike if isinstance(factor, float) and factor == 1.0 else spike * factor

    def neuronal_reset(self, spike: Tensor) -> None:
        """Reset what fired, as ``reset_mechanism`` says."""
        if self.reset_mechanism == "subtract":
            self.mem = self.mem - spike * finite_threshold(self.threshold)
        elif self.reset_mechanism == "zero":
            self.mem = (1.0 - spike) * self.mem

    def advance(self, x: Tensor, spike: Tensor | None) -> None:
        """Charge, and reset by the last step's spike; None where there is nothing to reset."""
        self.neuronal_charge(x)
        if spike is not None:
            self.neuronal_reset(spike)

    def single_step_forward(self, x: Tensor) -> Tensor:
        """Charge, delayed reset, fire."""
        self.advance(x, self.last_spike())
        self.quantize_states()
        spike = self.neuronal_fire()
        if not self.reset_delay:
            self.neuronal_reset(spike)
        return self.grade(spike)

    def last_spike(self) -> Tensor | None:
        """What fired in the last step, without gradient; None where that resets nothing."""
        if not self.reset_delay or self.reset_mechanism == "none":
            return None
        with torch.no_grad():
            return self.neuronal_fire()

    def scan(self, x_seq: Tensor) -> dict[str, Tensor] | None:
        r"""The states at all steps of a sequence without reset; None where it must be a loop."""
        return None

    @skippable
    def run_sequences(self, seqs: Sequence[Tensor]) -> Tensor:
        """By a backend, or parallel in time where that is possible and faster."""
        states = self._scanned(seqs[0]) if self._may_scan(seqs[0]) else None
        if states is None:
            return super().run_sequences(seqs)
        spikes = self._fire_in_parallel(states)
        return spikes.to(seqs[0].dtype) if seqs[0].is_floating_point() else spikes

    def _may_scan(self, x_seq: Tensor) -> bool:
        linear = self.reset_mechanism == "none" and self.state_quant is None
        if not linear or self.inhibition or self.backend != "auto":
            return False
        narrow = x_seq.is_cuda or x_seq[0].numel() <= NARROW
        long = narrow and x_seq.shape[0] >= LONG and not torch.compiler.is_compiling()
        return long and self._scan_is_current()

    def _scan_is_current(self) -> bool:
        """Whether no subclass, mixin or instance changed a step below the scan."""
        if any(n in vars(self) or getattr(type(self), n) is not m for n, m in self.frame.items()):
            return False
        place = {n: i for i, c in reversed([*enumerate(type(self).__mro__)]) for n in vars(c)}
        return not any(n in vars(self) or place[n] < place["scan"] for n in _SCANNED)

    def _scanned(self, x_seq: Tensor) -> dict[str, Tensor] | None:
        if kernels.choose(self, "auto", x_seq.device).name not in _UNCOMPILED:
            return None
        return self.scan(self.in_state_precision(x_seq))

    def _fire_in_parallel(self, states: dict[str, Tensor]) -> Tensor:
        for name in self.kept_states:
            self.record_sequence(f"{name}_seq", states[name])
        before, self.mem = self.mem, states["mem"]
        spikes = self.fire_at_all_steps(before)
        for name, sequence in states.items():
            setattr(self, name, sequence[-1].clone())
        return spikes

    def fire_at_all_steps(self, before: Tensor) -> Tensor:
        """The spikes of a sequence of potentials, ``self.mem``; ``before`` is the one before."""
        return self.grade(self.neuronal_fire())

    def quantize_states(self) -> None:
        """Send the states through ``state_quant``."""
        if self.state_quant is not None:
            self.mem = self.state_quant(self.mem)

    @property
    def reset_mechanism(self) -> str:
        """'subtract', 'zero' or 'none'."""
        return self._reset_mechanism

    @reset_mechanism.setter
    def reset_mechanism(self, reset_mechanism: str) -> None:
        if reset_mechanism not in RESETS:
            raise ValueError(
                f"reset_mechanism must be 'subtract', 'zero' or 'none', got {reset_mechanism!r}"
            )
        self._reset_mechanism = reset_mechanism

    @property
    def mem_seq(self) -> Tensor | None:
        r"""``mem`` of the last sequence in 'm', or of all steps since the reset in 's'.

        [T, N, \*]; None unless ``store_v_seq`` or ``store_state_seqs``.
        """
        return self.recorded("mem_seq")

    def set_learnable(self, name: str, value: Scalar, learn: bool) -> None:
        """Set a number, tensor or parameter that the equations read; make it one that learns."""
        self.set_parameter(name, value)
        if check_flag(f"learn_{name}", learn):
            setattr(self, name, learnable(getattr(self, name)))

    def set_decay(self, name: str, value: Scalar, learn: bool | str = False) -> None:
        """Set the decay ``name`` ('alpha' or 'beta'), in [0, 1].

        Arguments:
            name: Its name.
            value: A number, a tensor or an nn.Parameter, which learns as 'clamp' does.
            learn: False, or how it learns: 'clamp' (True), 'sigmoid' or 'exp'.
        """
        form = check_learn(name, learn)
        self.set_parameter(name, value)
        check_decay(name, getattr(self, name))
        if form is not None:
            self._learn_decay(name, form)

    def _learn_decay(self, name: str, form: str) -> None:
        value = learnable(getattr(self, name))
        if form == "clamp":
            setattr(self, name, value)
            return
        suffix, start, _ = FORMS[form]
        raw = start(value.detach())
        if not bool(raw.isfinite().all()):
            raise ValueError(
                f"learn_{name}={form!r} keeps {name} between 0 and 1, but it starts at "
                f"{show(getattr(self, name))}: start inside, or use 'clamp'"
            )
        delattr(self, name)
        self._equation_parameters = tuple(n for n in self._equation_parameters if n != name)
        self.set_parameter(f"{name}_{suffix}", nn.Parameter(raw))

    def __getattr__(self, name: str) -> Any:
        if name in _DECAYS:
            parameters = self.__dict__.get("_parameters", {})
            for suffix, _, value in FORMS.values():
                if f"{name}_{suffix}" in parameters:
                    return value(parameters[f"{name}_{suffix}"])
        return super().__getattr__(name)

    def extra_repr(self) -> str:
        """The arguments, for print."""
        decays = [(name, getattr(self, name, None)) for name in _DECAYS]
        shown = [
            *(f"{name}={show(value)}" for name, value in decays if value is not None),
            f"threshold={show(self.threshold)}",
            f"reset_mechanism={self.reset_mechanism!r}",
            *([] if self.reset_delay else ["reset_delay=False"]),
            *(["inhibition=True"] if self.inhibition else []),
            f"step_mode={self.step_mode}",
            f"backend={self.backend}",
        ]
        return ", ".join(shown)


def always(kind: type, options: Options, **fixed: Any) -> dict[str, Any]:
    """The options and what a class sets itself, which it may not be told."""
    for name, value in fixed.items():
        if name in options:
            raise TypeError(f"{kind.__name__} takes no {name}, which is {value!r} here always")
    return {**options, **fixed}


def winner(u: Tensor) -> Tensor:
    """1 at the largest value of each sample (at the first of equal ones), else 0."""
    if u.numel() == 0:
        return torch.zeros_like(u)
    flat = (u if u.dim() > 1 else u.reshape(1, -1)).detach().flatten(1)
    won = torch.zeros_like(flat).scatter_(1, flat.argmax(1, keepdim=True), 1.0)
    return won.reshape(u.shape)

"""What snnTorch's neurons share: how they are called, what they return, when they forget."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypedDict

import torch
from torch import Tensor

from ... import neuron, surrogate
from ...base.guard import explicit_states
from ...base.location import Location
from .checkpoint import Checkpointed
from .instances import Instances
from .states import fitted, name_states, widened

__all__ = ["LIF", "Heaviside", "Ours", "SpikingNeuron", "arguments"]


class Ours(TypedDict, total=False):
    """The arguments that snnTorch does not have, or has no more."""

    strict: bool
    step_mode: str
    backend: str
    store_v_seq: bool
    store_state_seqs: bool
    batch_size: int | None


class Heaviside:
    """The spike of snnTorch's first releases, whose gradient is the spike itself.

    Example:
        >>> Heaviside.apply(torch.tensor([-0.5, 0.0, 0.5]))
        tensor([0., 0., 1.])
    """

    apply = surrogate.HeavisideGradient(strict=True)


class _OneOrAll:
    """A method that serves the neuron it is called on, or, called on a class, all that live."""

    def __init__(self, function: Callable[[Any], None]) -> None:
        self._function = function
        functools.update_wrapper(self, function)  # type: ignore[arg-type]

    def __get__(self, instance: Any, owner: Any) -> Callable[[], None]:
        def serve() -> None:
            living = [n for n in owner.instances if isinstance(n, owner)]
            for one in living if instance is None else [instance]:
                self._function(one)

        return serve


class SpikingNeuron(Checkpointed, neuron.SpikingNeuron):
    r"""A neuron called as snnTorch calls it, on spikeframe's engine.

    ``spk, mem = lif(x, mem)`` with the states passed, or ``spk, mem = lif(x)`` with those that it
    keeps; with ``init_hidden=True`` it returns spikes alone, unless ``output=True``. With
    ``step_mode='m'`` it takes a sequence [T, N, \*], runs it as one kernel, and returns what it
    returns for all steps.

    Arguments:
        spike_grad: The spike with its surrogate gradient; ``surrogate.atan()`` by default.
        surrogate_disable: Fire without a gradient.
        init_hidden: Keep the states inside and return spikes only.
        output: Return the states with the spikes all the same.
        state_quant: A function that the states go through after every update, or False.
        graded_spikes_factor: What a spike is worth: a number or a tensor.
        strict: Do as snnTorch 1.0.0 does where that is wrong; the guide for migrating lists it.
        batch_size: Accepted from programs written for old releases, and not needed.
        options: As the neuron takes them.
    """

    instances: ClassVar[Any] = Instances()
    returned: ClassVar[tuple[str, ...]] = ("mem",)
    """The states, in the order in which they are passed and returned."""

    layered: ClassVar[bool] = False
    """Whether a layer of its own comes before the neuron."""

    def __init__(
        self,
        *,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        output: bool = False,
        state_quant: Any = False,
        graded_spikes_factor: Any = 1.0,
        strict: bool = False,
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        if "threshold" in options:
            options["threshold"] = as_tensor(options["threshold"])
        super().__init__(
            surrogate_function=_step if surrogate_disable else spike_grad,
            state_quant=state_quant or None,
            graded_spikes_factor=_number_or_tensor(graded_spikes_factor),
            **options,
        )
        self.surrogate_disable = bool(surrogate_disable)
        self.init_hidden, self.output = bool(init_hidden), bool(output)
        self.strict = bool(strict)
        type(self).instances.append(self)

    def forward(self, x: Tensor, *states: Any, **named: Any) -> Any:
        """A step, or a sequence, from the states given or else from those kept."""
        given = name_states(self, self.returned, states, named)
        if not given:
            return self.answer(super().forward(x))
        if self.init_hidden:
            raise TypeError(
                f"{Location(self)} keeps its states itself with init_hidden=True, got "
                f"{', '.join(given)} as well: pass the input alone, or make it with "
                "init_hidden=False"
            )
        x = self._enter_given(x, given)
        if self.layered:
            with explicit_states(self):
                return self.answer(super().forward(x))
        # What else a call looks after is a state that is left inside: here it is passed on.
        if self.step_mode == "m" or self.backend not in ("auto", "eager"):
            return self.answer(self._run(x))
        self._enter(x)
        return self.answer(self.eager_step(x))

    def answer(self, spikes: Tensor) -> Any:
        """What a call returns: the spikes, or they and the states."""
        if self.init_hidden and not self.output:
            return spikes
        return (spikes, *(self._shown(name) for name in self.returned if name != "spk"))

    @property
    def kept_states(self) -> tuple[str, ...]:
        """The names of the states whose sequences are kept: of a sequence, those returned."""
        kept = super().kept_states
        if self.step_mode == "s" or (self.init_hidden and not self.output):
            return kept
        return tuple(dict.fromkeys((*kept, *(n for n in self.returned if n != "spk"))))

    def reset_mem(self) -> Any:
        """Begin a new sequence, and return states that fit any input: zeros, as 0-d tensors."""
        self.reset()
        like = next((t for t in (*self.parameters(), *self.buffers())), torch.zeros(()))
        zeros = tuple(like.detach().new_zeros(()) for _ in self.returned)
        return zeros if len(zeros) > 1 else zeros[0]

    def init_states(self, *sizes: int) -> Any:
        """:meth:`reset_mem`; given sizes, the spikes and all states, of those sizes."""
        zeros = self.reset_mem()
        if not sizes:
            return zeros
        states = [name for name in self.returned if name != "spk"]
        like = zeros[0] if isinstance(zeros, tuple) else zeros
        return tuple(like.new_zeros(sizes) for _ in ("spk", *states))

    @_OneOrAll
    def detach_hidden(self) -> None:
        """Drop the states' history: of this neuron, or called on a class, of all its living."""
        self.detach()

    @_OneOrAll
    def reset_hidden(self) -> None:
        """Begin a new sequence: this neuron, or called on a class, all its living."""
        self.reset()

    @classmethod
    def init(cls) -> None:
        """Forget which neurons there are."""
        cls.instances.clear()

    def detach(self, *states: Tensor) -> None:
        """Drop the history of the states kept, or of those given."""
        if not states:
            super().detach()
        for state in states:
            state.detach_()

    @staticmethod
    def zeros(*states: Tensor) -> None:
        """Set the states given to zero (snnTorch leaves them as they are)."""
        for state in states:
            state.detach_().zero_()

    def mem_reset(self, mem: Tensor) -> Tensor:
        """Where a membrane is above the threshold, without a gradient."""
        with torch.no_grad():
            return self.surrogate_function(mem - self.threshold)

    @property
    def spike_grad(self) -> Callable[[Tensor], Tensor]:
        """The spike as a function of the distance from the threshold."""
        return self.surrogate_function

    @spike_grad.setter
    def spike_grad(self, function: Callable[[Tensor], Tensor]) -> None:
        self.surrogate_function = function

    def single_step_forward(self, x: Tensor) -> Tensor:
        """Charge, reset, fire; with ``strict`` as snnTorch does it."""
        if self.strict and not self.reset_delay and self.reset_mechanism == "subtract":
            return self.lagging_step(x)
        return super().single_step_forward(x)

    def lagging_step(self, x: Tensor) -> Tensor:
        """A reset in the step of the spike that takes back the one of the step before."""
        late = self.mem_reset(self.mem)
        self.neuronal_charge(x)
        self.mem = self.mem - late * self.threshold
        self.quantize_states()
        spike = self.neuronal_fire()
        self.mem = self.mem - (spike - late) * self.threshold
        return self.grade(spike)

    def last_spike(self) -> Tensor | None:
        """What resets; with ``strict`` also what inhibition suppressed."""
        last = super().last_spike()
        if last is None or not (self.strict and self.inhibition):
            return last
        return self.mem_reset(self.mem)

    def grade(self, spike: Tensor) -> Tensor:
        """A spike times what it is worth; with ``strict``, inhibition forgets that."""
        return spike if self.strict and self.inhibition else super().grade(spike)

    def scan(self, x_seq: Tensor) -> dict[str, Tensor] | None:
        """The states at all steps of a sequence without reset."""
        return None if self.strict else super().scan(x_seq)

    def _enter_given(self, x: Tensor, given: Mapping[str, Any]) -> Tensor:
        self.check_input(x)
        if self.step_mode == "s":
            x = widened(x, given)
        like = self.state_like(x if self.step_mode == "s" else x.detach()[0])
        for name, state in given.items():
            setattr(self, name, fitted(self, name, state, like))
        return x

    def _shown(self, name: str) -> Any:
        return self.recorded(f"{name}_seq") if self.step_mode == "m" else getattr(self, name)


class LIF(SpikingNeuron):
    """The base of the leaky integrate-and-fire neurons."""

    Heaviside: ClassVar[type[Heaviside]] = Heaviside


def arguments(scope: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor from its ``locals()``, those of ``**ours`` among them."""
    given = {k: v for k, v in scope.items() if k not in ("self", "__class__", "ours")}
    return {**given, **scope.get("ours", {})}


def as_tensor(value: Any) -> Any:
    """A number as the 0-d tensor that snnTorch keeps; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return torch.tensor(value, dtype=torch.get_default_dtype())


def _number_or_tensor(value: Any) -> Any:
    """1 as a number, which the engine need not multiply by."""
    return 1.0 if isinstance(value, int | float) and value == 1 else as_tensor(value)


def _step(u: Tensor) -> Tensor:
    """A spike without a gradient."""
    return surrogate.heaviside(u.detach(), strict=True)

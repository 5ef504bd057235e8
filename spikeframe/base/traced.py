"""Modules whose step is traced: in both step modes, on every backend, with states kept."""

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .. import kernels
from .guard import check_stateful_call, note_backward
from .location import Location, check_sequences
from .memory import MemoryModule
from .parameter import Scalar, check_flag, check_number, check_real
from .skippable import are_skippable, skippable, skippable_names
from .spikes import MARK, mark_spikes

__all__ = ["TracedModule", "check_real_input"]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

_PRECISIONS = (torch.float32, torch.float64)


class TracedModule(MemoryModule):
    r"""A module of memories whose step can run as one kernel: neurons, and filters like them.

    A subclass registers memories and writes :meth:`single_step_forward` in plain torch, which
    returns one tensor. States and arithmetic are float32 (float64 for a float64 input); the output
    has the input's floating-point dtype. Integer and bool inputs are read as float32. Memories
    that reset to a float take the input's shape at the first step.

    Arguments:
        step_mode: 's' for one step per call, 'm' for a sequence.
        backend: 'auto', 'eager', 'torch', 'cpp', 'triton' or 'cupy'.
        store_v_seq: Keep the membrane potential of all steps, [T, N, \*].
        store_state_seqs: Keep every state of all steps, as ``state_seqs`` by name.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.

    Example:
        >>> class Sum(TracedModule):
        ...     def __init__(self, **options):
        ...         super().__init__(**options)
        ...         self.register_memory("v", 0.0)
        ...
        ...     def single_step_forward(self, x):
        ...         self.v = self.v + x
        ...         return self.v
        >>> Sum(step_mode="m")(torch.ones(3, 1)).flatten()
        tensor([1., 2., 3.])
    """

    reset_parameters: ClassVar[dict[str, str]] = {}
    """States that start as one of the node's parameters, with its name."""

    membrane: ClassVar[str] = "v"
    """The name of the membrane potential among the states."""

    frame: ClassVar[dict[str, Any]] = {}
    """The methods around a step that kernels stand for: a node with its own runs by its lines."""

    replaceable: ClassVar[tuple[str, ...]] = ()
    """Attributes that take a module, a function or a number in turn."""

    spikes_mark: ClassVar[str] = MARK
    """The attribute by which the engine marks an output that it knows to be zeros and ones."""

    _equation_parameters: tuple[str, ...] = ()

    def __init__(
        self,
        step_mode: str = "s",
        backend: str = "auto",
        store_v_seq: bool = False,
        store_state_seqs: bool = False,
    ) -> None:
        super().__init__()
        self.store_v_seq = check_flag("store_v_seq", store_v_seq)
        self.store_state_seqs = check_flag("store_state_seqs", store_state_seqs)
        self.step_mode = step_mode
        self.backend = backend
        self.save = "auto"

    def multi_step_forward(self, x_seq: Tensor, *input_seqs: Any) -> Tensor:
        """The whole sequence, by the backend that ``backend`` names."""
        seqs = (x_seq, *input_seqs)
        spikes = kernels.replayed(self, seqs)
        if spikes is not None:
            self.forget_records()
            return spikes
        check_sequences(self, seqs)
        self._enter(x_seq.detach()[0])
        self.forget_records()
        return self.run_sequences(seqs)

    @skippable
    def run_sequences(self, seqs: Sequence[Tensor]) -> Tensor:
        """The output of sequences whose states fit, by the backend that ``backend`` names."""
        return kernels.run(self, seqs)

    def forward(self, x: Tensor, *inputs: Any) -> Tensor:
        r"""Spikes of one step [N, \*] or of a sequence [T, N, \*], as ``step_mode`` says."""
        if self._is_entered_directly():
            replay = self._replayed_sequence if self._step_mode == "m" else self._replayed_step
            spikes = replay(x, *inputs)
            if spikes is not None:
                return spikes
        check_stateful_call(self)
        self.check_input(x)
        entering = dict(self._memories)
        try:
            spikes = self._run(x, *inputs)
        except Exception:
            # A step that failed half-way must not be what the next one starts from.
            self._memories = entering
            raise
        if torch.is_grad_enabled():
            states = (state for state in self._memories.values() if isinstance(state, Tensor))
            note_backward(self, spikes, *states)
        return mark_spikes(spikes) if self.fires_binary else spikes

    def eager_step(self, x: Tensor, *inputs: Any) -> Tensor:
        """One step of the hooks in the precision of the state, spikes cast back."""
        spike = self.single_step_forward(*(self.in_state_precision(i) for i in (x, *inputs)))
        self.check_output(spike, x)
        for name in self.kept_states:
            self.record(f"{name}_seq", getattr(self, name))
        if spike.dtype == x.dtype or not x.is_floating_point():
            return spike
        return spike.to(x.dtype)

    def state_like(self, x: Tensor) -> Tensor:
        """A tensor of the shape, dtype and device of a state for a step ``x``: x itself."""
        return x

    def check_output(self, output: Tensor, x: Tensor) -> None:
        """Raise a ValueError unless the output of a step ``x`` has its shape."""
        if output.shape != x.shape:
            raise ValueError(
                f"{Location(self)}: an input [N, *] of shape {list(x.shape)} gave spikes of shape "
                f"{list(output.shape)}: parameters must broadcast to the input"
            )

    @property
    def state_seqs(self) -> dict[str, Tensor]:
        r"""Every state that is kept, by name, [T, N, \*]."""
        seqs = {name: self.recorded(f"{name}_seq") for name in self._memories}
        return {name: seq for name, seq in seqs.items() if seq is not None}

    @property
    def kept_states(self) -> tuple[str, ...]:
        """The names of the states whose sequences are kept."""
        if self.store_state_seqs:
            return tuple(self.shaped_memories())
        return (self.membrane,) if self.store_v_seq else ()

    @property
    def n_inputs(self) -> int:
        """The number of inputs of a step: the arguments that ``neuronal_charge`` needs."""
        charge = getattr(self, "neuronal_charge", self.single_step_forward)
        needed = inspect.signature(charge).parameters.values()
        return sum(p.default is p.empty and p.kind in _POSITIONAL for p in needed)

    @property
    def fires_binary(self) -> bool:
        """Whether every output is 0 or 1, by the way it is made, so that it may be kept as bits.

        A family of neurons whose steps say so overrides this; False is always right.
        """
        return False

    @property
    def is_replayable(self) -> bool:
        """Whether a call like an earlier one may go straight to its kernel.

        A method of a subclass that stands in between (``run_sequences``, ``fit_memories``) is to
        see every call.
        """
        return are_skippable(self)

    @property
    def skipped_methods(self) -> tuple[str, ...]:
        """The methods that such a call does not go through, as long as they are these."""
        return skippable_names()

    @property
    def backend(self) -> str:
        """What runs a sequence: 'auto' or a name of ``kernels.NAMES``; checked when it runs."""
        return self._backend

    @backend.setter
    def backend(self, backend: str) -> None:
        self._backend = kernels.check_name(backend)

    @property
    def save(self) -> str:
        """What a sequence keeps for its backward: 'auto', the few values that it needs; 'input',
        nothing but the input and the states at every 32nd step, as the backward runs the forward
        again. A node that runs by its own lines takes 'auto' only.
        """
        return self._save

    @save.setter
    def save(self, save: str) -> None:
        self._save = kernels.check_save(save)

    @property
    def supported_backends(self) -> tuple[str, ...]:
        """The backends of this version; ``kernels.why_not`` tells what keeps one from a case."""
        return ("auto", *kernels.BACKENDS)

    def get_reset_value(self, name: str) -> Any:
        """The value that the memory ``name`` takes at a reset."""
        value = MemoryModule.get_reset_value(self, name)
        if value is None and name in self.reset_parameters:
            value = getattr(self, self.reset_parameters[name])
            return 0.0 if value is None else value
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

    def set_parameters(self, **values: Scalar) -> None:
        """Set several, each as :meth:`set_parameter` does."""
        for name, value in values.items():
            self.set_parameter(name, value)

    def shaped_memories(self) -> list[str]:
        """The memories of the state's shape."""
        known = self.reset_parameters
        return [
            name
            for name in self._memories
            if name in known or isinstance(self.get_reset_value(name), float)
        ]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.replaceable or name in self._equation_parameters:
            # torch refuses to put a number where a tensor is, or a function where a module is.
            for kind in ("_modules", "_parameters", "_buffers"):
                self.__dict__[kind].pop(name, None)
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                self.__dict__.pop(name, None)
                self.register_buffer(name, value)
                return
        super().__setattr__(name, value)

    def _is_entered_directly(self) -> bool:
        """Whether no method of a subclass stands between a call and what runs it."""
        cls, own = type(self), self.__dict__
        return (
            cls.multi_step_forward is TracedModule.multi_step_forward
            and cls.check_input is TracedModule.check_input
            and "multi_step_forward" not in own
            and "check_input" not in own
        )

    def _replayed_sequence(self, *seqs: Any) -> Tensor | None:
        """The output of a sequence like an earlier one, or None."""
        spikes = kernels.replayed(self, seqs, in_backward=False)
        if spikes is not None and self._records:
            self.forget_records()
        return spikes

    def _replayed_step(self, *inputs: Any) -> Tensor | None:
        """The output of a step like an earlier one, or None."""
        if not kernels.is_kept(self) or kernels.is_counted():
            return None
        seqs = [_as_sequence(value) for value in inputs]
        spikes = kernels.replayed(self, seqs, in_backward=False)
        return None if spikes is None else spikes.squeeze(0)

    def _run(self, x: Tensor, *inputs: Any) -> Tensor:
        if self.step_mode == "m":
            return self.multi_step_forward(x, *inputs)
        is_named = self.backend not in ("auto", "eager")
        if not is_named and self._steps_by_lines():
            self._enter(x)
            return self.eager_step(x, *inputs)
        seqs = [_as_sequence(value) for value in (x, *inputs)]
        spikes = kernels.replayed(self, seqs)
        if spikes is None:
            self._enter(x)
            spikes = (kernels.run if is_named else kernels.stepped)(self, seqs)
        return self.eager_step(x, *inputs) if spikes is None else spikes.squeeze(0)

    def _steps_by_lines(self) -> bool:
        return self.backend == "eager" or torch.compiler.is_compiling() or kernels.is_counted()

    @skippable
    def _enter(self, x: Tensor) -> None:
        """Bring states into the shape of a step ``x``; check the parameters against it."""
        like = self.state_like(x)
        for name in self._equation_parameters:
            value = getattr(self, name, None)
            if isinstance(value, Tensor):
                self._check_parameter(name, value, like)
        self.fit_memories(like, self.shaped_memories())

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

    def check_input(self, x: Any) -> None:
        """Raise a TypeError unless the input is a real tensor."""
        check_real_input(self, x)

    def in_state_precision(self, x: Any) -> Any:
        """An input as the step gets it."""
        if not isinstance(x, Tensor) or x.dtype in _PRECISIONS:
            return x
        return x.to(torch.float32)


TracedModule.frame = {
    name: vars(TracedModule)[name] for name in ("eager_step", "in_state_precision")
}


def check_real_input(module: nn.Module, x: Any) -> None:
    """Raise a TypeError unless the input of a module is a real tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{Location(module)} takes a tensor, got {type(x).__name__}")
    if x.is_complex():
        raise TypeError(f"{Location(module)} takes real inputs, got {x.dtype}")


def _as_sequence(value: Any) -> Any:
    return value.unsqueeze(0) if isinstance(value, Tensor) else value

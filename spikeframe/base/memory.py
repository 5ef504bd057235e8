"""Modules that remember: states registered as memories, reset to a value, kept between calls."""

import copy
import enum
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import kernels
from .guard import check_stateful_call, watch_carried_state
from .location import Location, check_sequences
from .skippable import skippable
from .state_dict import states_wanted
from .step import StepModule

__all__ = ["MemoryModule", "detached"]


class _Fresh(enum.Enum):
    """Marks a memory that is at its reset value (an enum member survives pickle and deepcopy)."""

    FRESH = "fresh"


FRESH = _Fresh.FRESH

# As tuples, since torch.compile does not follow a union of types in __getattr__.
_CONTAINERS = (list, dict, set)
_NUMBERS = (int, float)


class MemoryModule(nn.Module, StepModule):
    r"""A module with memories: values that one call leaves for the next, until ``reset``.

    A memory is declared with :meth:`register_memory` and then read and assigned as an attribute.
    It starts as its reset value (usually a number), takes the input's shape at the first step,
    moves with ``.to()``, and survives ``copy.deepcopy``, ``pickle`` and ``torch.save`` (without
    its graph). It is not in ``state_dict`` unless registered with ``persistent=True`` (or asked
    for, by ``functional.state_dict``), but is loaded from one that has it.
    Floating-point memories stay float32 under ``.half()`` and ``.bfloat16()``.

    A subclass writes :meth:`single_step_forward`; the loop over time, :meth:`multi_step_forward`,
    follows from it.

    Shape:
        input: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.

    Example:
        >>> class Accumulator(MemoryModule):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.register_memory("total", 0.0)
        ...
        ...     def single_step_forward(self, x):
        ...         self.total = self.total + x
        ...         return self.total
        >>> accumulator = Accumulator()
        >>> accumulator(torch.ones(2)), accumulator(torch.ones(2))
        (tensor([1., 1.]), tensor([2., 2.]))
        >>> accumulator.reset()
        >>> accumulator.total
        0.0
    """

    remembers = True

    replayable: bool = False
    """Whether running again from the state after a call repeats the call (a held mask does)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # They are those of a torch layer among the bases: class Norm(MemoryModule, nn.LayerNorm).
        super().__init__(*args, **kwargs)
        self._memories: dict[str, Any] = {}
        self._reset_values: dict[str, Any] = {}
        self._records: dict[str, list[Tensor]] = {}
        self._persistent_memories: set[str] = set()
        self._backward_ran = False

    def register_memory(self, name: str, value: Any, persistent: bool = False) -> None:
        """Declare the memory ``name``, at ``value`` now and after every reset.

        Arguments:
            name: The attribute that reads and assigns the memory.
            value: The reset value: a float, which in a neuron takes the input's shape at the
                first step; or an int, bool, None, tensor or container, which nothing is done to.
            persistent: Keep the memory in ``state_dict`` while it is not at its reset value.

        Raises:
            ValueError: The name is not an identifier, or is taken.
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"a memory's name must be an identifier, got {name!r}")
        if name in self._memories or hasattr(self, name):
            raise ValueError(
                f"{type(self).__name__} has {name!r} already: choose another name for the memory"
            )
        self._memories[name] = FRESH
        self._reset_values[name] = copy.deepcopy(value)
        if persistent:
            self._persistent_memories.add(name)

    def reset(self) -> None:
        """Put every memory back to its reset value."""
        for name in self._memories:
            self._memories[name] = FRESH
        self._records.clear()
        self.__dict__["_backward_ran"] = False

    def get_reset_value(self, name: str) -> Any:
        """The value that the memory ``name`` takes at a reset."""
        if name not in self._reset_values:
            self._check_memory(name)
        return self._reset_values[name]

    def set_reset_value(self, name: str, value: Any) -> None:
        """Change the value that the memory ``name`` takes at a reset."""
        self._check_memory(name)
        self._reset_values[name] = copy.deepcopy(value)

    def detach(self) -> None:
        """Keep the memories' values and drop their history (truncated backpropagation)."""
        for store in (self._memories, self._records):
            for name, value in store.items():
                store[name] = detached(value)
        self._backward_ran = False

    def load_memory(self, name: str, value: Any) -> None:
        """Assign a memory; its reset value puts it back to the state after a reset."""
        self._check_memory(name)
        self._memories[name] = FRESH if _is(value, self.get_reset_value(name)) else value

    def named_memories(self) -> Iterator[tuple[str, Any]]:
        """Name and value of each memory of this module (not of its submodules)."""
        for name in self._memories:
            yield name, getattr(self, name)

    def kept_memories(self) -> Iterator[tuple[str, Any]]:
        """Name and value of each memory of this module that is not at its reset value."""
        for name, value in self._memories.items():
            if value is not FRESH:
                yield name, value

    def memories(self) -> Iterator[Any]:
        """The value of each memory of this module (not of its submodules)."""
        for _, value in self.named_memories():
            yield value

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Run one step or a sequence, as ``step_mode`` says."""
        if self._memories:
            check_stateful_call(self, replayable=self.replayable)
        if self.step_mode == "s":
            return self.single_step_forward(*inputs, **kwargs)
        return self.multi_step_forward(*inputs, **kwargs)

    def single_step_forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """One step: read the memories, assign them, return the output. Subclasses write this."""
        raise NotImplementedError(
            f"{type(self).__name__} must define single_step_forward(x), which handles one step"
        )

    def multi_step_forward(self, *input_seqs: Any, **kwargs: Any) -> Any:
        """A sequence: :meth:`single_step_forward` at every step, outputs stacked over time."""
        check_sequences(self, input_seqs)
        return kernels.loop_over_time(
            lambda *x: self.single_step_forward(*x, **kwargs), input_seqs
        )

    @skippable
    def fit_memories(self, x: Tensor, names: Sequence[str] | None = None) -> None:
        """Give memories at a number the shape of ``x``; check that the others have it.

        Arguments:
            x: One step of the input, [N, \\*]; its dtype decides: float64 for float64, else
                float32.
            names: The memories shaped like the input; by default those that reset to a float.

        Raises:
            ValueError: A memory has another shape, or float64 values for a float32 input.
            RuntimeError: A memory is on another device.
        """
        if names is None:
            names = [n for n in self._memories if isinstance(self.get_reset_value(n), float)]
        for name in names:
            self._memories[name] = self._fitted(name, x)

    def fill_value(self, name: str) -> float | None:
        """The number that :meth:`fit_memories` fills the memory with; None for anything else."""
        value, reset = self._memories[name], self.get_reset_value(name)
        if value is FRESH:
            value = reset
        return value if type(value) is float and type(reset) is float else None

    def record(self, name: str, value: Tensor) -> None:
        """Append one step of the sequence ``name`` kept for the user (such as ``v_seq``)."""
        self.record_sequence(name, value.unsqueeze(0))

    def record_sequence(self, name: str, values: Tensor) -> None:
        """Append several steps, [T, N, \\*], of the sequence ``name`` kept for the user."""
        self._records.setdefault(name, []).append(values)

    def forget_records(self) -> None:
        """Drop the recorded sequences."""
        self._records.clear()

    def recorded(self, name: str) -> Tensor | None:
        """The sequence ``name`` recorded so far, [T, N, \\*], or None."""
        steps = self._records.get(name)
        if not steps:
            return None
        if len(steps) > 1:
            steps = self._records[name] = [torch.cat(steps)]
        return steps[0]

    def _fitted(self, name: str, x: Tensor) -> Any:
        value, dtype = self._memories[name], _state_dtype(x)
        if value is FRESH:
            value = getattr(self, name)
            if isinstance(value, Tensor):
                return self._spread(name, value, x).to(dtype)
        if isinstance(value, _NUMBERS):
            return torch.full_like(x, value, dtype=dtype)
        if not isinstance(value, Tensor):
            return value
        self._check_fit(name, value, x)
        watch_carried_state(self, value)
        return value.to(dtype) if value.is_floating_point() else value

    def _spread(self, name: str, value: Tensor, x: Tensor) -> Tensor:
        try:
            return value.to(x.device).expand(x.shape)
        except RuntimeError:
            raise ValueError(
                f"{Location(self)}: the reset value of {name} has shape {list(value.shape)}, "
                f"which does not broadcast to the input {list(x.shape)}: give it one value per "
                "neuron or per channel ([C, 1, 1] for an input [N, C, H, W])"
            ) from None

    def _check_fit(self, name: str, value: Tensor, x: Tensor) -> None:
        if value.shape != x.shape:
            raise ValueError(
                f"{Location(self)}: {name} has shape {list(value.shape)} but the input is "
                f"{list(x.shape)}: call functional.reset_net(net) before a new sequence"
            )
        if value.device != x.device:
            raise RuntimeError(
                f"{Location(self)}: {name} is on {value.device} but the input is on {x.device}: "
                "move the net with net.to(device), or call functional.reset_net(net)"
            )
        if value.dtype == torch.float64 and x.dtype != torch.float64:
            raise ValueError(
                f"{Location(self)}: {name} is float64 but the input is {x.dtype}: call "
                "net.float(), or functional.reset_net(net) before a new sequence"
            )

    def _check_memory(self, name: str) -> None:
        if name not in self._memories:
            raise ValueError(
                f"{type(self).__name__} has no memory {name!r}; it has "
                f"{list(self._memories) or 'none'}"
            )

    @kernels.finds_like_torch
    def __getattr__(self, name: str) -> Any:
        memories = self.__dict__.get("_memories", {})
        if name not in memories:
            return super().__getattr__(name)
        if memories[name] is FRESH:
            value = self.get_reset_value(name)
            if not isinstance(value, _CONTAINERS):
                return value
            # A container may be changed in place, which must not reach the reset value.
            memories[name] = copy.deepcopy(value)
        return memories[name]

    def __setattr__(self, name: str, value: Any) -> None:
        memories = self.__dict__.get("_memories", {})
        if name in memories:
            memories[name] = value
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__.get("_memories", {}):
            del self._memories[name], self._reset_values[name]
            self._persistent_memories.discard(name)
        else:
            super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._memories})

    def __getstate__(self) -> dict[str, Any]:
        stores = {
            key: {name: detached(value) for name, value in self.__dict__[key].items()}
            for key in ("_memories", "_records")
        }
        return {**self.__dict__, **stores}

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "MemoryModule":
        super()._apply(fn, recurse)
        for store in (self._memories, self._reset_values, self._records):
            for name, value in store.items():
                store[name] = _map_tensors(value, lambda t: _keep_precision(fn, t))
        return self

    def _replicate_for_data_parallel(self) -> "MemoryModule":
        if any(_has_tensor(value) for value in self._memories.values()):
            raise RuntimeError(
                f"{Location(self)} carries a state, which nn.DataParallel discards in its "
                "replicas: call functional.reset_net(net) before every call, or use "
                "DistributedDataParallel"
            )
        replica = super()._replicate_for_data_parallel()
        for key in ("_memories", "_reset_values", "_records"):
            replica.__dict__[key] = dict(self.__dict__[key])
        return replica

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, value in sorted(self.kept_memories()):
            persistent = name in self._persistent_memories and isinstance(value, Tensor)
            if states_wanted() or persistent:
                destination[prefix + name] = value if keep_vars else detached(value)
        if states_wanted() and hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]]["with_states"] = True

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: dict[str, Any], *args: Any
    ) -> None:
        # A memory that was at its reset value was not saved.
        saved = self._memories if metadata.get("with_states") else self._persistent_memories
        for name in self._memories:
            if name in saved or prefix + name in state_dict:
                self._memories[name] = state_dict.pop(prefix + name, FRESH)
        super()._load_from_state_dict(state_dict, prefix, metadata, *args)


def detached(value: Any) -> Any:
    """A state, tensors in lists, tuples and dicts included, without its history."""
    return _map_tensors(value, torch.Tensor.detach)


def _state_dtype(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _is(value: Any, other: Any) -> bool:
    """Whether two values are one object, or equal numbers."""
    if value is other:
        return True
    return isinstance(value, int | float) and type(value) is type(other) and value == other


def _keep_precision(fn: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """Apply ``fn`` (a move or a cast) to a state, but never halve its precision."""
    moved = fn(value)
    if moved.dtype in (torch.float16, torch.bfloat16) and value.dtype != moved.dtype:
        return value.to(moved.device)
    return moved


def _map_tensors(value: Any, fn: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return fn(value)
    if isinstance(value, list | tuple):
        return type(value)(_map_tensors(item, fn) for item in value)
    if isinstance(value, dict):
        return {key: _map_tensors(item, fn) for key, item in value.items()}
    return value


def _has_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(map(_has_tensor, value))
    return isinstance(value, Tensor)

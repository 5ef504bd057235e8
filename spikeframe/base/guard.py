"""Finds the calls under which an implicit state goes wrong silently, and names the cure."""

import contextlib
import warnings
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

from .location import Location

__all__ = ["check_stateful_call", "explicit_states", "note_backward", "watch_carried_state"]

# Identities of the modules whose states are passed explicitly.
_EXPLICIT: ContextVar[frozenset[int]] = ContextVar("explicit_states", default=frozenset())

# How many nodes above a state are searched for what a backward has freed: a step or two.
_SEARCH_LIMIT = 64


@contextlib.contextmanager
def explicit_states(module: nn.Module) -> Iterator[None]:
    """Within it, the states inside ``module`` are arguments and results: the checks are off."""
    if torch.compiler.is_compiling():
        # They are off there, and torch.compile follows no ContextVar.
        yield
        return
    inner = frozenset(id(m) for m in module.modules())
    token = _EXPLICIT.set(_EXPLICIT.get() | inner)
    try:
        yield
    finally:
        _EXPLICIT.reset(token)


def check_stateful_call(module: nn.Module, *, replayable: bool = False) -> None:
    """Raise where a call would leave a wrong state behind.

    Arguments:
        module: The module about to run, and to change its state.
        replayable: Running twice from the state after the first run gives the same result.

    Raises:
        RuntimeError: The call is a checkpoint's recomputation, stands inside a torch.func
            transform, or is one step of an ``nn.DataParallel`` replica.
    """
    if torch.compiler.is_compiling():
        return
    in_backward = not replayable and torch._C._current_graph_task_id() != -1
    transformed = torch._C._functorch.peek_interpreter_stack() is not None
    is_replica = module.__dict__.get("_is_replica", False)
    if not (in_backward or transformed or is_replica) or id(module) in _EXPLICIT.get():
        return
    if in_backward:
        raise RuntimeError(
            f"{Location(module)} runs inside a backward pass: torch.utils.checkpoint recomputes "
            "it from its final state, which gives wrong gradients. Use "
            "spikeframe.memory.checkpoint(module, x), which restores the entering state"
        )
    if transformed:
        raise RuntimeError(
            f"{Location(module)} keeps its state inside, which a torch.func transform would leave "
            "behind as a wrapped tensor. Use base.to_functional_forward(net), which takes and "
            "returns the states"
        )
    if getattr(module, "step_mode", "m") == "s":
        raise RuntimeError(
            f"{Location(module)} is a replica made by nn.DataParallel, which discards the state "
            "after every call. Call functional.set_step_mode(net, 'm') and pass whole sequences, "
            "or use DistributedDataParallel"
        )


def note_backward(module: nn.Module, *tensors: Tensor) -> None:
    """Remember, once a backward reaches one of the tensors, that the module's graph was used.

    A node of the graph that remembers it by itself (as ``backward_ran``) needs no reminder.

    Arguments:
        module: What made the tensors; it is forgotten again by its ``reset`` and ``detach``.
        tensors: Its output and its states.
    """
    if torch.compiler.is_compiling():
        return
    unaware = [t for t in tensors if t.grad_fn and not hasattr(t.grad_fn, "backward_ran")]
    if not unaware or not _keeps_history(module):
        return
    owner = weakref.ref(module)

    def note(_: Tensor) -> None:
        module = owner()
        if module is not None:
            module.__dict__["_backward_ran"] = True

    for tensor in unaware:
        tensor.register_hook(note)


def watch_carried_state(module: nn.Module, state: Tensor) -> None:
    """Warn, just before torch's own error, when a backward runs into a graph already finished.

    Arguments:
        module: The owner of the state.
        state: A state left by an earlier call, about to be used again.
    """
    if not _keeps_history(module):
        return
    grad_fn, ran = state.grad_fn, module.__dict__.get("_backward_ran", False)
    if grad_fn is None or not getattr(grad_fn, "backward_ran", ran):
        return
    location = Location(module)

    def warn(_: Tensor) -> None:
        if _is_finished(grad_fn):
            warnings.warn(
                f"{location}: its state was left by a sequence whose backward has already run, so "
                "torch is about to fail with 'backward through the graph a second time'. Call "
                "functional.reset_net(net) after every batch, or functional.detach_net(net) to "
                "keep the state without its history",
                stacklevel=2,
            )

    state.register_hook(warn)


def _keeps_history(module: nn.Module) -> bool:
    """Whether the module's own state carries a graph from this call to the next."""
    if torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return False
    return id(module) not in _EXPLICIT.get()


def _is_finished(grad_fn: Any) -> bool:
    """Whether a backward has freed what the nodes just above ``grad_fn`` saved."""
    queue, seen = [grad_fn], set[Any]()
    while queue and len(seen) < _SEARCH_LIMIT:
        node = queue.pop(0)
        if node in seen:
            continue
        seen.add(node)
        if _is_freed(node):
            return True
        queue += [parent for parent, _ in node.next_functions if parent is not None]
    return False


def _is_freed(node: Any) -> bool:
    for name in dir(node):
        if name.startswith("_saved_") or name == "saved_tensors":
            try:
                getattr(node, name)
            except RuntimeError:
                return True
    return False

"""Batch norm and the neuron behind it as one layer, of which training keeps the input alone."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from .. import base, kernels
from ..base.entry import current_fold, current_mask, unfold
from .packed import hooks_at_work, is_transparent

__all__ = ["NormNeuron", "why_not_pair"]

# Whose forward a norm may have: what others compute, this layer does not know.
_KNOWN = {
    *("torch.nn.modules.batchnorm", "spikeframe.layer.wrapper"),
    "spikeframe.layer.normalization",
}

# What may stand between a norm and the neuron for autograd: other views of the same values.
_VIEWS = ("ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "ExpandBackward0")


class NormNeuron(base.StepModule, nn.Module):
    r"""Batch norm, then a neuron; both forward and backward are theirs.

    .. math::
        S = \operatorname{neuron}\left(\gamma \frac{X - \mu}{\sqrt{\sigma^2 + \epsilon}}
        + \beta\right)

    Run one after the other, the norm keeps :math:`X` for its backward and the neuron one value a
    step. Here :math:`X`, and the mean and deviation of each channel, are all that is kept: the
    backward computes the neuron's input again, by the same operations (so that spikes are the
    same), and from it the neuron's values. Outputs, gradients, states and running statistics are
    those of ``neuron(norm(x))``.

    Where that cannot be, this is ``neuron(norm(x))`` and nothing else; :meth:`why_not` tells.

    Arguments:
        norm: A batch norm of torch, or of :mod:`spikeframe.layer`.
        neuron: A neuron whose step is traced.
    Shape:
        input, output: [T, N, C, \*] when step_mode is 'm', [N, C, \*] when it is 's'.
    Raises:
        ValueError: They are not such a pair.

    Example:
        >>> from spikeframe import functional, layer, neuron
        >>> block = NormNeuron(layer.BatchNorm1d(8), neuron.LIFNode())
        >>> functional.set_step_mode(block, "m")
        >>> x_seq = torch.rand(4, 2, 8, requires_grad=True)
        >>> block(x_seq).sum().backward()
        >>> print(block.why_not(x_seq), "/", block.eval().why_not(x_seq))
        None / BatchNorm1d is in eval mode
    """

    def __init__(self, norm: nn.Module, neuron: nn.Module) -> None:
        super().__init__()
        reason = why_not_pair(norm, neuron)
        if reason is not None:
            raise ValueError(f"{reason}: NormNeuron takes a batch norm and a traced neuron")
        traced: Any = neuron
        self.norm: Any = norm
        self.neuron: Any = neuron
        self.step_mode = traced.step_mode

    def forward(self, x: Tensor) -> Tensor:
        """Spikes, for one step or a sequence, as ``step_mode`` says."""
        why_not = self.why_not(x)
        y: Tensor = self.norm(x)
        spikes: Tensor = self._fire(y) if why_not is None else self.neuron(y)
        return spikes

    def why_not(self, x: Tensor) -> str | None:
        """Why a call with ``x`` keeps what norm and neuron keep; None where it keeps ``x``."""
        return _why_not_now(x) or self._why_not_modules(x)

    def _why_not_modules(self, x: Tensor) -> str | None:
        norm, neuron = self.norm, self.neuron
        if not x.requires_grad and not any(p.requires_grad for p in norm.parameters()):
            return f"nothing in front of {type(neuron).__name__} wants a gradient"
        if not norm.training:
            return f"{type(norm).__name__} is in eval mode"
        hooked = [m for m in self.modules() if m is not self and _has_hooks(m)]
        if hooked:
            return f"{type(hooked[0]).__name__} has hooks, which see what stands between them"
        if neuron.step_mode == "s" and current_fold() is None:
            return f"{type(neuron).__name__} has step_mode 's': one step runs by its own lines"
        if neuron.kept_states:
            return (
                f"{type(neuron).__name__} keeps the sequences of {', '.join(neuron.kept_states)}"
            )
        return _why_lines(neuron, x.device)

    def _fire(self, y: Tensor) -> Tensor:
        made = _made_by(y)
        steps = current_fold()
        y_seq = y if steps is None else unfold(y, steps.steps)
        with _entered(self.neuron, y_seq[0]) as constants:
            call = kernels.Call(self.neuron, (y_seq,))
            chosen = kernels.choose(self.neuron, self.neuron.backend, y.device, call)
            if made is None or chosen.name == "eager":
                spikes: Tensor = self.neuron(y)
                return spikes
            pack, unpack = _hooks(y, made, self.norm.bias, constants)
            with _saving_its_input(self.neuron), saved_tensors_hooks(pack, unpack):
                spikes = self.neuron(y)
        return spikes

    def extra_repr(self) -> str:
        """The step mode."""
        return f"step_mode={self.step_mode}"


def why_not_pair(norm: nn.Module, neuron: nn.Module) -> str | None:
    """Why two modules are no :class:`NormNeuron`, or None."""
    kinds = [kind for kind in type(norm).__mro__ if "forward" in vars(kind)]
    homes = {kind.__module__ for kind in kinds if kind is not nn.Module}
    if not isinstance(norm, _BatchNorm) or nn.SyncBatchNorm in kinds or not homes <= _KNOWN:
        return f"{type(norm).__name__} is no batch norm of torch's kind"
    if not isinstance(neuron, base.TracedModule):
        return f"{type(neuron).__name__} is no neuron that can be traced"
    if neuron.n_inputs != 1:
        return f"{type(neuron).__name__} takes {neuron.n_inputs} inputs"
    return kernels.why_not(neuron, "torch")


class _Made(NamedTuple):
    """The node of autograd that a norm left, which has all that its output follows from."""

    node: Any

    def again(self, bias: Tensor | None) -> Tensor:
        """The norm's output, bit by bit."""
        x, weight = self.node._saved_input, self.node._saved_weight
        if x.device.type != "cpu":
            eps = _epsilon(self.node)
            return F.batch_norm(x, None, None, weight, bias, training=True, momentum=0.0, eps=eps)
        # With these, torch's kernel comes to the factors that it had in training.
        mean, scale = self.node._saved_result1, self.node._saved_result2
        scale = scale if weight is None else scale * weight
        return F.batch_norm(x, mean, torch.ones_like(mean), scale, bias, eps=0.0)


class _Again(NamedTuple):
    """Stands for a tensor that is a view of the norm's output."""

    shape: torch.Size
    strides: tuple[int, ...]
    offset: int


class _Constant(NamedTuple):
    """Stands for a state that is the same number everywhere."""

    value: float
    like: torch.Size
    dtype: torch.dtype
    device: torch.device


def _hooks(
    y: Tensor, made: _Made, bias: Tensor | None, constants: dict[int, float]
) -> tuple[Callable[[Tensor], Any], Callable[[Any], Tensor]]:
    """What the neuron's own saved tensors are kept as, and the way back."""
    outer_pack, outer_unpack = hooks_at_work() or (_same, _same)
    place = y.untyped_storage().data_ptr()

    def pack(x: Tensor) -> Any:
        if x.untyped_storage().data_ptr() == place:
            return _Again(x.shape, x.stride(), int(x.storage_offset()))
        value = constants.get(x.data_ptr())
        if value is not None:
            return _Constant(value, x.shape, x.dtype, x.device)
        return outer_pack(x)

    def unpack(kept: Any) -> Tensor:
        if isinstance(kept, _Again):
            with torch.no_grad():
                again = made.again(bias)
            return torch.as_strided(again, kept.shape, kept.strides, kept.offset)
        if isinstance(kept, _Constant):
            return torch.full(kept.like, kept.value, dtype=kept.dtype, device=kept.device)
        return outer_unpack(kept)

    return pack, unpack


@contextlib.contextmanager
def _entered(neuron: Any, x: Tensor) -> Iterator[dict[int, float]]:
    """States in the shape of a step; by address, the number at which those after a reset are."""
    kept = {name for name, _ in neuron.kept_memories()}
    fresh = [name for name in neuron.shaped_memories() if name not in kept]
    numbers = {name: getattr(neuron, name) for name in fresh}
    try:
        neuron.fit_memories(x.detach(), neuron.shaped_memories())
        yield {
            getattr(neuron, name).data_ptr(): float(value)
            for name, value in numbers.items()
            if isinstance(value, int | float)
        }
    except Exception:
        for name in fresh:
            neuron.load_memory(name, neuron.get_reset_value(name))
        raise


@contextlib.contextmanager
def _saving_its_input(neuron: Any) -> Iterator[None]:
    entering = neuron.save
    neuron.save = "input"
    try:
        yield
    finally:
        neuron.save = entering


def _why_not_now(x: Tensor) -> str | None:
    if not torch.is_grad_enabled():
        return "no gradient is wanted"
    if torch.compiler.is_compiling():
        return "torch.compile decides what is kept"
    if type(x) is not Tensor or not x.is_floating_point() or x.numel() == 0:
        return "the input is not a plain tensor of values"
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return "a torch.func transform runs it"
    if current_mask() is not None:
        return "samples end at different steps"
    if not is_transparent(hooks_at_work()):
        return "hooks on what is saved, such as a checkpoint's, are at work"
    return None


def _why_lines(neuron: Any, device: torch.device) -> str | None:
    """Why a neuron runs by its own lines, of which autograd saves every step, or None."""
    if neuron.backend == "eager":
        return f"{type(neuron).__name__} has backend 'eager'"
    return kernels.why_not(neuron, "torch", device)


def _made_by(y: Tensor) -> _Made | None:
    node: Any = y.grad_fn
    while node is not None and node.name() in _VIEWS:
        node = node.next_functions[0][0]
    return None if node is None or "BatchNorm" not in node.name() else _Made(node)


def _epsilon(node: Any) -> float:
    for name in ("_saved_eps", "_saved_epsilon"):
        if hasattr(node, name):
            return float(getattr(node, name))
    raise RuntimeError(f"{node.name()} has no epsilon: this version of torch is not known")


def _has_hooks(module: nn.Module) -> bool:
    stores = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, store) for store in stores)


def _same(x: Any) -> Any:
    return x

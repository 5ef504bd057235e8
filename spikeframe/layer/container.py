"""Sequential containers that run modules made for one step over a whole sequence."""

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from .. import functional
from ..base import MultiStepModule, StepModule
from ..base.location import Location, check_sequences, check_tensor
from ..base.step import inner_step_modules
from ..functional.forward import refuse_memories

__all__ = [
    "MultiStepContainer",
    "SeqToANNContainer",
    "StepModeContainer",
    "TLastMultiStepContainer",
    "TLastSeqToANNContainer",
]


class _Container(StepModule, nn.Sequential):
    """What the containers share: the modules in them have step_mode 's', and keep it."""

    keeps_inner_step_mode = True

    def __init__(self, *modules: Any) -> None:
        super().__init__(*modules)
        self.check_modules()

    def check_modules(self) -> None:
        """Raise a ValueError where a module in here cannot run as the container runs it."""
        inside = [inner for child in self.children() for inner in inner_step_modules(child)]
        wrong = {id(inner) for inner in inside if inner.step_mode != "s"}
        if wrong:
            found = [
                f"{name} ({type(inner).__name__})"
                for name, inner in self.named_modules()
                if id(inner) in wrong
            ]
            raise ValueError(
                f"{Location(self)} hands single steps to its modules, which need step_mode 's', "
                f"but these have 'm': {', '.join(found)}. Call functional.set_step_mode(module, "
                "'s') on them, or take them out of the container"
            )


class MultiStepContainer(MultiStepModule, _Container):
    r"""Runs modules for one step over a sequence, step by step; memories in them carry over.

    Arguments:
        modules: Modules with step_mode 's', applied in turn; or one OrderedDict of them.
    Shape:
        input, output: [T, N, \*].
    Raises:
        ValueError: A module has step_mode 'm' (also at a call); the input has no steps.

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> net = MultiStepContainer(nn.Identity(), neuron.IFNode())
        >>> net(torch.full((4, 1), 0.5)).flatten()
        tensor([0., 1., 0., 1.])
    """

    def forward(self, x_seq: Tensor) -> Any:
        """The sequence, a step at a time through all modules."""
        self.check_modules()
        check_sequences(self, (x_seq,))
        return functional.multi_step_forward(x_seq, list(self))


class TLastMultiStepContainer(MultiStepContainer):
    r"""A :class:`MultiStepContainer` for sequences whose time is their last dimension.

    Arguments:
        modules: Modules with step_mode 's', applied in turn; or one OrderedDict of them.
    Shape:
        input, output: [N, \*, T].
    Raises:
        ValueError: As :class:`MultiStepContainer`.
    """

    def forward(self, x_seq: Tensor) -> Any:
        """The sequence, a step at a time through all modules."""
        self.check_modules()
        check_tensor(self, x_seq)
        return functional.t_last_multi_step_forward(x_seq, list(self))


class SeqToANNContainer(MultiStepModule, _Container):
    r"""Runs stateless modules over a sequence, with time folded into the batch.

    For torch's own layers; those of :mod:`spikeframe.layer` need no container with step_mode 'm'.

    Arguments:
        modules: Modules without memories, applied in turn; or one OrderedDict of them.
    Shape:
        input, output: [T, N, \*].
    Raises:
        ValueError: A module remembers something, or has step_mode 'm' (also at a call); the input
            is no sequence of batches.

    Example:
        >>> import torch
        >>> net = SeqToANNContainer(nn.Conv2d(2, 8, 3), nn.ReLU())
        >>> net(torch.zeros(4, 1, 2, 9, 9)).shape
        torch.Size([4, 1, 8, 7, 7])
    """

    def check_modules(self) -> None:
        """Raise a ValueError where a module remembers, or has step_mode 'm'."""
        refuse_memories(self, str(Location(self)))
        super().check_modules()

    def forward(self, x_seq: Tensor) -> Any:
        """The sequence as one batch through all modules."""
        self.check_modules()
        check_sequences(self, (x_seq,))
        return functional.seq_to_ann_forward(x_seq, list(self))


class TLastSeqToANNContainer(SeqToANNContainer):
    r"""A :class:`SeqToANNContainer` for sequences whose time is their last dimension.

    Arguments:
        modules: Modules without memories, applied in turn; or one OrderedDict of them.
    Shape:
        input, output: [N, \*, T].
    Raises:
        ValueError: As :class:`SeqToANNContainer`.
    """

    def forward(self, x_seq: Tensor) -> Any:
        """The sequence as one batch through all modules."""
        self.check_modules()
        check_tensor(self, x_seq)
        return functional.t_last_seq_to_ann_forward(x_seq, list(self))


class StepModeContainer(_Container):
    r"""Gives modules for one step both step modes.

    With step_mode 's' it is an ``nn.Sequential``; with 'm' it runs over a sequence, step by step
    (stateful) or with time folded into the batch (stateless).

    Arguments:
        stateful: Whether the modules remember something from step to step.
        modules: Modules with step_mode 's', applied in turn; or one OrderedDict of them. The step
            mode may stand before them, as SpikingJelly has it.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    Raises:
        TypeError: ``stateful`` is no bool; the step mode is given twice.
        ValueError: ``stateful`` is False and a module remembers something, a module has
            step_mode 'm' (also at a call), or the step mode is unknown.

    Example:
        >>> import torch
        >>> net = StepModeContainer(False, nn.Linear(3, 5), nn.ReLU(), step_mode="m")
        >>> net(torch.zeros(4, 2, 3)).shape
        torch.Size([4, 2, 5])
    """

    def __init__(self, stateful: bool, *modules: Any, step_mode: str | None = None) -> None:
        if not isinstance(stateful, bool):
            raise TypeError(
                f"stateful must be True or False, got {type(stateful).__name__}: say first "
                "whether the modules remember something, StepModeContainer(stateful, *modules)"
            )
        if modules and isinstance(modules[0], str):
            if step_mode is not None:
                raise TypeError(f"step_mode is given twice: {modules[0]!r} and {step_mode!r}")
            step_mode, *modules = modules  # type: ignore[assignment]
        # First, as the constructor checks the modules.
        self.stateful = stateful
        super().__init__(*modules)
        self.step_mode = "s" if step_mode is None else step_mode

    def __getitem__(self, idx: slice | int) -> Any:
        """A module, or a container of the same kind with some of them."""
        if not isinstance(idx, slice):
            return super().__getitem__(idx)
        modules = OrderedDict(list(self._modules.items())[idx])
        return type(self)(self.stateful, modules, step_mode=self.step_mode)

    def check_modules(self) -> None:
        """Raise a ValueError where a module cannot run as the container runs it."""
        if not self.stateful:
            refuse_memories(self, str(Location(self)))
        super().check_modules()

    def forward(self, x: Tensor) -> Any:
        """One step or a sequence, as ``step_mode`` says."""
        self.check_modules()
        check_tensor(self, x)
        if self.step_mode == "s":
            return super().forward(x)
        check_sequences(self, (x,))
        run = functional.multi_step_forward if self.stateful else functional.seq_to_ann_forward
        return run(x, list(self))

    def extra_repr(self) -> str:
        """The arguments."""
        return f"stateful={self.stateful}, step_mode={self.step_mode}"

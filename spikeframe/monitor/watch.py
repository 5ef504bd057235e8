"""Tells at every moment of a step which module it belongs to, forward and backward."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

__all__ = ["NOBODY", "WATCHER", "Moment", "Watch"]


class Moment(NamedTuple):
    """Whom a stretch of time belongs to.

    Arguments:
        name: The module.
        backward: Whether it runs its backward, or what a backward runs again.
    """

    name: str
    backward: bool


NOBODY = Moment("(none)", False)
WATCHER = Moment("(watcher)", False)


class Watch:
    """Marks every change of the module that runs, while it is open.

    A module's forward is what happens between its call and its return; its backward the autograd
    nodes that its forward has made. What submodules that are watched too have done is theirs, not
    their parent's. Nothing is seen of the tensors but who made them.

    Arguments:
        parts: The modules by name.
        mark: Called at every change; what it returns is kept with whom the time after belongs to.
        seen: Called with name, inputs and outputs after each call.
    """

    def __init__(
        self,
        parts: Sequence[tuple[str, nn.Module]],
        mark: Callable[[], Any],
        seen: Callable[[str, list[Tensor], list[Tensor]], None] | None = None,
    ) -> None:
        self.marks: list[tuple[Any, Moment]] = []
        self.calls = dict.fromkeys((name for name, _ in parts), 0)
        self._parts, self._mark, self._seen = parts, mark, seen
        self._running = [NOBODY]
        self._claimed: set[Any] = set()
        self._handles: list[Any] = []

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Within it modules are watched; afterwards no hook is left."""
        try:
            for name, module in self._parts:
                self._follow(name, module)
            self._note(NOBODY)
            yield
            self._note(NOBODY)
        finally:
            for handle in self._handles:
                handle.remove()
            self._handles.clear()
            self._claimed.clear()

    def stretches(self) -> Iterator[tuple[Any, Any, Moment]]:
        """The marks at the ends of each stretch of time, and whose it is."""
        for (start, whose), (end, _) in zip(self.marks, self.marks[1:], strict=False):
            yield start, end, whose

    def _follow(self, name: str, module: nn.Module) -> None:
        def enter(_: nn.Module, args: Any, kwargs: Any) -> None:
            self._note(WATCHER)
            # What made the inputs between two modules is the doing of whoever called this one.
            self._claim(tree_leaves((args, kwargs)), self._running[-1].name)
            self._running.append(Moment(name, self._running[-1].backward))
            self._note(self._running[-1])

        def leave(_: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            self._note(WATCHER)
            self._running.pop()
            self.calls[name] += 1
            self._claim(tree_leaves(output), name)
            if self._seen is not None:
                self._seen(name, _tensors((args, kwargs)), _tensors(output))
            self._note(self._running[-1])

        self._handles += [
            module.register_forward_pre_hook(enter, with_kwargs=True),
            module.register_forward_hook(leave, with_kwargs=True, always_call=True),
        ]

    def _claim(self, values: Sequence[Any], name: str) -> None:
        """Follow all autograd nodes behind some tensors that are nobody's yet."""
        ahead = [x.grad_fn for x in values if isinstance(x, Tensor) and x.grad_fn is not None]
        while ahead:
            node: Any = ahead.pop()
            if node in self._claimed:
                continue
            # Who is kept cannot be another node at the same address later.
            self._claimed.add(node)
            self._time(node, Moment(name, True))
            # A parameter's own node outlives the step, and adds up gradients for nobody here.
            ahead += [n for n, _ in node.next_functions if n is not None and not _ends(n)]

    def _time(self, node: Any, moment: Moment) -> None:
        if moment.name == NOBODY.name:
            return

        def enter(_: Any) -> None:
            self._running.append(moment)
            self._note(moment)

        def leave(*_: Any) -> None:
            self._running.pop()
            self._note(self._running[-1])

        self._handles += [node.register_prehook(enter), node.register_hook(leave)]

    def _note(self, whose: Moment) -> None:
        self.marks.append((self._mark(), whose))


def _ends(node: Any) -> bool:
    return bool(node.name() == "torch::autograd::AccumulateGrad")


def _tensors(values: Any) -> list[Tensor]:
    return [x for x in tree_leaves(values) if isinstance(x, Tensor)]

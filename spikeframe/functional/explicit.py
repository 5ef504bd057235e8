"""A net as a function of its states, in the form that exporters and compilers take."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .. import base

__all__ = ["ExplicitStates"]


class ExplicitStates(nn.Module):
    r"""A net whose states are inputs and outputs: (x, states) -> (y, new states).

    The net's own states are neither read nor changed, so one exported step is a whole recurrent
    program: whoever runs it hands the states on. With step_mode 's' a step is made of plain torch
    operations, which every exporter knows.

    Arguments:
        net: The net.
    Shape:
        x: What the net takes.
        states: Tensors of the order of :attr:`names`, as :meth:`initial_states` makes them.

    Example:
        >>> from spikeframe import neuron
        >>> step = ExplicitStates(nn.Sequential(nn.Linear(2, 3), neuron.LIFNode()))
        >>> x = torch.rand(1, 2)
        >>> states = step.initial_states(x)
        >>> y, *states = step(x, *states)
        >>> step.names, y.shape, states[0].shape
        (['1.v'], torch.Size([1, 3]), torch.Size([1, 3]))
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        if not isinstance(net, nn.Module):
            raise TypeError(f"net must be an nn.Module, got {type(net).__name__}")
        self.net = net
        self.train(net.training)

    @property
    def names(self) -> list[str]:
        """The names of the states, in their order."""
        return [name for name, _ in base.named_memories(self.net)]

    def initial_states(self, *inputs: Any) -> tuple[Tensor, ...]:
        """The states after a reset, in the shapes that the net gives them for such inputs.

        Raises:
            TypeError: A memory is no tensor after a step (a list, say), so no exporter takes it.
        """
        reset = [owner.get_reset_value(name) for owner, name in self._places()]
        with torch.no_grad():
            _, states = base.to_functional_forward(self.net)(inputs, reset)
        made = zip(self.names, reset, states, strict=True)
        return tuple(_initial(name, first, state) for name, first, state in made)

    def forward(self, x: Any, *states: Tensor) -> tuple[Any, ...]:
        """The outputs, then the new states."""
        outputs, new_states = base.to_functional_forward(self.net)((x,), states)
        return (*outputs, *new_states)

    def _places(self) -> Iterator[tuple[Any, str]]:
        for owner in self.net.modules():
            if isinstance(owner, base.MemoryModule):
                for name, _ in owner.named_memories():
                    yield owner, name


def _initial(name: str, first: Any, state: Any) -> Tensor:
    if not isinstance(state, Tensor):
        raise TypeError(
            f"the state {name!r} is a {type(state).__name__} after a step, not a tensor: keep it "
            "inside, and export a net without the module that has it"
        )
    if isinstance(first, Tensor):
        return first.to(state).expand(state.shape).clone()
    return torch.full_like(state, 0.0 if first is None else first)

"""snnTorch's import from NIR."""

from typing import Any

from torch import Tensor, nn

from ... import exchange, functional
from . import leaky, recurrent, synaptic

__all__ = ["Executor", "import_from_nir"]

_KINDS: dict[str, Any] = {
    "Leaky": leaky.Leaky,
    "Synaptic": synaptic.Synaptic,
    "RLeaky": recurrent.RLeaky,
    "RSynaptic": recurrent.RSynaptic,
}


class Executor(nn.Module):
    """A net that takes a step and its states, and returns both.

    Arguments:
        net: The net, which keeps its states.
    """

    def __init__(self, net: exchange.NIRNet) -> None:
        super().__init__()
        self.net = net
        self._last: Any = None

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """One step, from the states given or else from those kept."""
        if state is not None and state is not self._last:
            functional.set_states(self.net, state)
        spikes = self.net(x)
        self._last = functional.get_states(self.net)
        return spikes, self._last


def import_from_nir(graph: Any) -> Executor:
    """A graph of NIR as a net of snnTorch's neurons: :func:`spikeframe.exchange.from_nir`."""

    def make(kind: str, **given: Any) -> nn.Module:
        neuron: nn.Module = _KINDS[kind](**given, init_hidden=True)
        return neuron

    return Executor(exchange.from_nir(graph, make=make))

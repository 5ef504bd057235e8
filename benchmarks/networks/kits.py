"""What each framework builds a network of: layers, a LIF neuron, recurrence, and how it runs.

All neurons are v += (x - v) / 2 with a hard reset at 1, except where a framework has none: see
``Kit.exact``. Each is used as its own documentation uses it.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["KITS", "Kit"]

TAU = 2.0


class Kit:
    """A framework whose layers and neurons take whole sequences [T, N, *]: this package.

    Arguments:
        channels_last: Lay images and weights out with channels last.
    """

    name = "spikeframe"
    exact = True
    """Whether its spikes are to be those of the first kit."""

    streams = True
    """Whether it keeps states from one step to the next."""

    def __init__(self, channels_last: bool = False) -> None:
        from spikeframe import layer

        self.layers: Any = layer
        self.channels_last = channels_last
        if channels_last:
            self.name = f"{self.name}, channels last"

    def lif(self, threshold: float = 1.0) -> nn.Module:
        """A LIF neuron."""
        from spikeframe import neuron, surrogate

        return neuron.LIFNode(
            TAU, v_threshold=threshold, surrogate_function=surrogate.ATan(), detach_reset=True
        )

    def recurrent(self, size: int) -> nn.Module:
        """LIF neurons that hear each other's last spikes through a linear map."""
        from spikeframe import rnn, surrogate

        feedback = nn.Linear(size, size, bias=False)
        options = {"surrogate_function": surrogate.ATan(), "detach_reset": True}
        return rnn.RecurrentLIFNode(feedback, TAU, **options)

    def ready(self, net: nn.Module) -> nn.Module:
        """A network that is about to run."""
        from spikeframe import functional

        functional.set_step_mode(net, "m")
        return net.to(memory_format=torch.channels_last) if self.channels_last else net

    def load(self, net: nn.Module, weights: list[Tensor]) -> None:
        """Take the weights of the first kit's network, which come in the same order."""
        layers = [p for p in net.parameters() if p.dim()]  # sinabs has a number per neuron layer
        with torch.no_grad():
            for own, given in zip(layers, weights, strict=True):
                own.copy_(self.fitted(given, own))

    def fitted(self, given: Tensor, own: Tensor) -> Tensor:
        """A weight as this kit has it."""
        return given

    def reset(self, net: nn.Module) -> None:
        """Forget the last batch."""
        from spikeframe import functional

        functional.reset_net(net)

    def run(self, net: nn.Module, x_seq: Tensor) -> Tensor:
        """The outputs [T, N, C] of a sequence from rest."""
        self.reset(net)
        outputs: Tensor = net(x_seq)
        return outputs

    def stream(self, net: nn.Module, x_seq: Tensor) -> Tensor:
        """The outputs [T, N, C], step by step as the steps come."""
        from spikeframe import functional

        functional.set_step_mode(net, "s")
        functional.set_event_driven(net)
        return self._stepped(net, x_seq)

    def _stepped(self, net: nn.Module, x_seq: Tensor) -> Tensor:
        self.reset(net)
        return torch.stack([net(x) for x in x_seq.unbind(0)])


class SpikingJelly(Kit):
    """SpikingJelly, in step mode 'm'."""

    name = "spikingjelly"

    def __init__(self, channels_last: bool = False) -> None:
        from spikingjelly.activation_based import layer

        self.layers, self.channels_last = layer, channels_last
        if channels_last:
            self.name = f"{self.name}, channels last"

    def lif(self, threshold: float = 1.0) -> nn.Module:
        from spikingjelly.activation_based import neuron, surrogate

        return neuron.LIFNode(
            TAU, v_threshold=threshold, surrogate_function=surrogate.ATan(), detach_reset=True
        )

    def recurrent(self, size: int) -> nn.Module:
        from spikingjelly.activation_based import layer

        return layer.LinearRecurrentContainer(self.lif(), size, size, bias=False)

    def fitted(self, given: Tensor, own: Tensor) -> Tensor:
        """The container's linear map takes the input beside the last spikes."""
        return given if own.shape == given.shape else torch.cat([torch.eye(len(given)), given], 1)

    def ready(self, net: nn.Module) -> nn.Module:
        from spikingjelly.activation_based import functional

        functional.set_step_mode(net, "m")
        for module in net.modules():
            if isinstance(module, self.layers.LinearRecurrentContainer):
                functional.set_step_mode(module.sub_module, "s")
        return net.to(memory_format=torch.channels_last) if self.channels_last else net

    def reset(self, net: nn.Module) -> None:
        from spikingjelly.activation_based import functional

        functional.reset_net(net)

    def stream(self, net: nn.Module, x_seq: Tensor) -> Tensor:
        from spikingjelly.activation_based import functional

        functional.set_step_mode(net, "s")
        return self._stepped(net, x_seq)


class Looped(Kit):
    """A framework whose networks are run step by step, of torch's own layers."""

    def __init__(self) -> None:
        self.layers, self.channels_last = nn, False

    def ready(self, net: nn.Module) -> nn.Module:
        return net

    def recurrent(self, size: int) -> nn.Module:
        return _Recurrent(self.lif(), size)

    def run(self, net: nn.Module, x_seq: Tensor) -> Tensor:
        return self._stepped(net, x_seq)

    def stream(self, net: nn.Module, x_seq: Tensor) -> Tensor:
        return self._stepped(net, x_seq)

    def reset(self, net: nn.Module) -> None:
        for module in net.modules():
            if isinstance(module, _Norse | _Recurrent):
                module.state = None


class SnnTorch(Looped):
    """snnTorch: Leaky has another equation (its input is not scaled, it resets a step later)."""

    name, exact = "snntorch", False

    def __init__(self) -> None:
        import snntorch.utils

        super().__init__()
        self._package = snntorch

    def lif(self, threshold: float = 1.0) -> nn.Module:
        return self._package.Leaky(
            1 - 1 / TAU,
            threshold,
            spike_grad=self._package.surrogate.atan(),
            init_hidden=True,
            reset_mechanism="zero",
        )

    def reset(self, net: nn.Module) -> None:
        super().reset(net)
        self._package.utils.reset(net)


class Norse(Looped):
    """Norse: LIFBoxCell, whose state the caller keeps; its constants stay in single precision."""

    name, exact = "norse", False

    def __init__(self) -> None:
        import norse.torch  # noqa: F401

        super().__init__()

    def lif(self, threshold: float = 1.0) -> nn.Module:
        return _Norse(threshold)


class Sinabs(Looped):
    """Sinabs: layers that unfold [N T, *] themselves, and so take no single steps.

    They make their outputs in single precision, in which nets part at the threshold.
    """

    name, exact, streams = "sinabs", False, False

    def __init__(self) -> None:
        import sinabs.layers

        super().__init__()
        self._package = sinabs

    def lif(self, threshold: float = 1.0) -> nn.Module:
        activation = self._package.activation
        return self._package.layers.LIFSqueeze(
            num_timesteps=1,
            tau_mem=1 / math.log(TAU),
            spike_threshold=torch.tensor(threshold),
            spike_fn=activation.SingleSpike,
            reset_fn=activation.MembraneReset(),
        )

    def recurrent(self, size: int) -> nn.Module:
        raise NotImplementedError("its recurrent LIF has a synapse of another kind")

    def reset(self, net: nn.Module) -> None:
        self._package.reset_states(net)

    def run(self, net: nn.Module, x_seq: Tensor) -> Tensor:
        self.reset(net)
        steps = x_seq.shape[0]
        for module in net.modules():
            if isinstance(module, self._package.layers.LIFSqueeze):
                module.num_timesteps = steps
        outputs: Tensor = net(x_seq.transpose(0, 1).flatten(0, 1))
        return outputs.unflatten(0, (-1, steps)).transpose(0, 1)


class _Norse(nn.Module):
    """A cell that keeps its state from step to step."""

    def __init__(self, threshold: float) -> None:
        from norse.torch import LIFBoxCell, LIFBoxParameters

        super().__init__()
        # A unit time step, for 1e-3 times 500 is not quite a half.
        constants = {"tau_mem_inv": torch.tensor(1 / TAU), "v_th": torch.tensor(threshold)}
        self.cell = LIFBoxCell(LIFBoxParameters(**constants), dt=1.0)
        self.state: Any = None

    def forward(self, x: Tensor) -> Tensor:
        spikes, self.state = self.cell(x, self.state)
        return spikes


class _Recurrent(nn.Module):
    """Feeds a neuron's last spikes back through a linear map."""

    def __init__(self, lif: nn.Module, size: int) -> None:
        super().__init__()
        self.feedback, self.lif = nn.Linear(size, size, bias=False), lif
        self.state: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.state = self.lif(x if self.state is None else x + self.feedback(self.state))
        return self.state


KITS: dict[str, Callable[[], Kit]] = {
    "spikeframe": Kit,
    "spikeframe, channels last": lambda: Kit(channels_last=True),
    "spikingjelly": SpikingJelly,
    "spikingjelly, channels last": lambda: SpikingJelly(channels_last=True),
    "snntorch": SnnTorch,
    "norse": Norse,
    "sinabs": Sinabs,
}

"""snnTorch's learner by spike-timing-dependent plasticity."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from .... import functional
from .probe import InputMonitor, OutputMonitor

__all__ = ["STDPLearner"]

Function = Callable[[Tensor], Tensor]


class STDPLearner(nn.Module):
    """Watches a layer and the neurons behind it, and learns by when they fire.

    The step is :func:`spikeframe.functional.stdp_step`.

    Arguments:
        synapse: The layer: nn.Linear, nn.Conv1d or nn.Conv2d.
        sn: The neurons behind it.
        tau_pre: Time constant of the traces of its inputs, in steps.
        tau_post: Time constant of the traces of the neurons' spikes.
        f_pre: How much a weight is weakened, as a function of it.
        f_post: How much it is strengthened.

    Example:
        >>> import torch
        >>> from spikeframe.compat import snntorch as snn
        >>> net = nn.Sequential(nn.Linear(4, 3), snn.Leaky(0.9, init_hidden=True))
        >>> learner = STDPLearner(net[0], net[1], tau_pre=2.0, tau_post=2.0)
        >>> for _ in range(3):
        ...     _ = net(torch.ones(2, 4))
        >>> learner.step(on_grad=False).shape
        torch.Size([3, 4])
    """

    def __init__(
        self,
        synapse: nn.Module,
        sn: nn.Module,
        tau_pre: float,
        tau_post: float,
        f_pre: Function = lambda weight: weight,
        f_post: Function = lambda weight: weight,
    ) -> None:
        super().__init__()
        self.synapse: Any = synapse
        self.tau_pre, self.tau_post = tau_pre, tau_post
        self.f_pre, self.f_post = f_pre, f_post
        self.in_spike_monitor = InputMonitor(synapse)
        self.out_spike_monitor = OutputMonitor(sn, function_on_output=_spikes)
        self.trace_pre: Tensor | None = None
        self.trace_post: Tensor | None = None

    def reset(self) -> None:
        """Forget the traces and what was seen."""
        self.in_spike_monitor.clear_recorded_data()
        self.out_spike_monitor.clear_recorded_data()
        self.trace_pre = self.trace_post = None

    def disable(self) -> None:
        """Stop watching."""
        self.in_spike_monitor.disable()
        self.out_spike_monitor.disable()

    def enable(self) -> None:
        """Watch again."""
        self.in_spike_monitor.enable()
        self.out_spike_monitor.enable()

    def step(self, on_grad: bool = True, scale: float = 1.0) -> Tensor | None:
        """Learn from the steps seen since the last call.

        Arguments:
            on_grad: Subtract the change from the weight's gradient, for an optimiser; otherwise
                return it.
            scale: The change is multiplied by it.
        Raises:
            RuntimeError: No step was seen.
        """
        steps = list(
            zip(self.in_spike_monitor.records, self.out_spike_monitor.records, strict=True)
        )
        if not steps:
            raise RuntimeError(
                "STDPLearner has seen no step since the last one: run the net, then call step()"
            )
        self.in_spike_monitor.clear_recorded_data()
        self.out_spike_monitor.clear_recorded_data()
        change = scale * sum(self._change(before, after) for before, after in steps)
        if not on_grad:
            return change
        weight = self.synapse.weight
        weight.grad = -change if weight.grad is None else weight.grad - change
        return None

    def _change(self, before: Tensor, after: Tensor) -> Any:
        self.trace_pre, self.trace_post, change = functional.stdp_step(
            self.synapse,
            before,
            after,
            self.trace_pre,
            self.trace_post,
            tau_pre=self.tau_pre,
            tau_post=self.tau_post,
            f_pre=self.f_pre,
            f_post=self.f_post,
        )
        return change


def _spikes(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output

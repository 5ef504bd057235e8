"""Records what passes through the modules of a net: inputs, outputs, attributes, gradients.

Records are copies without graph, in the order of the calls: what is changed in place later, or
freed, stays recorded. For statistics of many calls use FiringRates and ValueHistogram, which keep
no tensors of the run.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from .hooks import Kinds, Monitor, watched_modules

__all__ = [
    "AttributeMonitor",
    "GradInputMonitor",
    "GradOutputMonitor",
    "InputMonitor",
    "OutputMonitor",
]

Function = Callable[[Any], Any]


def _same(x: Any) -> Any:
    return x


class _Recorder(Monitor):
    """Records of modules by name."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.records: list[Any] = []
        self._function = function
        self._where: dict[str, list[int]] = {}

    @property
    def monitored_layers(self) -> list[str]:
        """The names of the modules watched."""
        return list(self._where)

    def clear_recorded_data(self) -> None:
        """Forget what was recorded and go on."""
        self.records.clear()
        for places in self._where.values():
            places.clear()

    def __getitem__(self, key: int | str) -> Any:
        """The record of that number, or all records of the module of that name."""
        if isinstance(key, int):
            return self.records[key]
        if key not in self._where:
            raise KeyError(f"no module {key!r} is watched; there are {self.monitored_layers}")
        return [self.records[place] for place in self._where[key]]

    def __len__(self) -> int:
        return len(self.records)

    def _watch(self, net: nn.Module, instance: Kinds | None) -> dict[str, nn.Module]:
        modules = watched_modules(net, instance)
        self._where = {name: [] for name in modules}
        return modules

    def _record(self, name: str, value: Any) -> None:
        if isinstance(value, tuple) and len(value) == 1:
            (value,) = value
        # A copy, before the function as after: either may be the live tensor.
        given = tree_map_only(Tensor, Tensor.detach, value)
        kept = tree_map_only(Tensor, lambda x: x.detach().clone(), self._function(given))
        self._where[name].append(len(self.records))
        self.records.append(kept)


class OutputMonitor(_Recorder):
    """Records the outputs of modules.

    Arguments:
        net: The net.
        instance: The class of the modules, or several in a tuple; the net's own by default.
        function_on_output: Applied to each output, whose result is recorded.
    Raises:
        TypeError: ``net`` is not an nn.Module, or ``instance`` no class.
        ValueError: The net has no such module.

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> net = nn.Sequential(nn.Identity(), neuron.IFNode())
        >>> with OutputMonitor(net, neuron.IFNode) as spikes:
        ...     for _ in range(3):
        ...         _ = net(torch.full((1,), 0.5))
        >>> spikes["1"]
        [tensor([0.]), tensor([1.]), tensor([0.])]
    """

    def __init__(
        self, net: nn.Module, instance: Kinds | None = None, function_on_output: Function = _same
    ) -> None:
        super().__init__(function_on_output)
        for name, module in self._watch(net, instance).items():
            hook = self.hook(OutputMonitor._see, name)
            self._handles.append(module.register_forward_hook(hook))

    def _see(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        self._record(name, output)


class InputMonitor(_Recorder):
    """Records the inputs of modules: the tensor, or a tuple of several.

    Arguments:
        net: The net.
        instance: The class of the modules, or several in a tuple; the net's own by default.
        function_on_input: Applied to each input, whose result is recorded.
    Raises:
        TypeError: ``net`` is not an nn.Module, or ``instance`` no class.
        ValueError: The net has no such module.
    """

    def __init__(
        self, net: nn.Module, instance: Kinds | None = None, function_on_input: Function = _same
    ) -> None:
        super().__init__(function_on_input)
        for name, module in self._watch(net, instance).items():
            hook = self.hook(InputMonitor._see, name)
            self._handles.append(module.register_forward_pre_hook(hook))

    def _see(self, name: str, module: nn.Module, inputs: Any) -> None:
        self._record(name, inputs)


class AttributeMonitor(_Recorder):
    """Records an attribute of modules at every call, such as the membrane potential ``v``.

    With step_mode 'm', ``v`` is that after the last step; a node made with ``store_v_seq=True``
    has those of all steps as ``v_seq``.

    Arguments:
        attribute_name: The attribute.
        pre_forward: Record it before the call rather than after.
        net: The net.
        instance: The class of the modules, or several in a tuple; the net's own by default.
        function_on_attribute: Applied to each value, whose result is recorded.
    Raises:
        TypeError: ``net`` is not an nn.Module, or ``instance`` no class.
        ValueError: The net has no such module, or one of them lacks the attribute.

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> node = neuron.IFNode()
        >>> with AttributeMonitor("v", False, node) as potentials:
        ...     _ = node(torch.full((1,), 0.4))
        >>> potentials.records
        [tensor([0.4000])]
    """

    def __init__(
        self,
        attribute_name: str,
        pre_forward: bool,
        net: nn.Module,
        instance: Kinds | None = None,
        function_on_attribute: Function = _same,
    ) -> None:
        super().__init__(function_on_attribute)
        self.attribute_name, self.pre_forward = attribute_name, pre_forward
        modules = self._watch(net, instance)
        missing = [name for name, module in modules.items() if not hasattr(module, attribute_name)]
        if missing:
            raise ValueError(
                f"{', '.join(map(repr, missing))} of {type(net).__name__} have no attribute "
                f"{attribute_name!r}: name a class that has it by instance="
            )
        for name, module in modules.items():
            hook = self.hook(AttributeMonitor._see, name)
            self._handles.append(
                module.register_forward_pre_hook(hook)
                if pre_forward
                else module.register_forward_hook(hook)
            )

    def _see(self, name: str, module: nn.Module, *_: Any) -> None:
        self._record(name, getattr(module, self.attribute_name))


class GradInputMonitor(_Recorder):
    """Records the gradients to the inputs of modules, as the backward pass reaches them.

    Modules of which torch's full backward hooks do not allow an in-place operation behind or in
    front of them raise torch's own error.

    Arguments:
        net: The net.
        instance: The class of the modules, or several in a tuple; the net's own by default.
        function_on_grad_input: Applied to each gradient, whose result is recorded.
    Raises:
        TypeError: ``net`` is not an nn.Module, or ``instance`` no class.
        ValueError: The net has no such module.
    """

    def __init__(
        self,
        net: nn.Module,
        instance: Kinds | None = None,
        function_on_grad_input: Function = _same,
    ) -> None:
        super().__init__(function_on_grad_input)
        for name, module in self._watch(net, instance).items():
            hook = self.hook(GradInputMonitor._see, name)
            self._handles.append(module.register_full_backward_hook(hook))

    def _see(self, name: str, module: nn.Module, grad_input: Any, grad_output: Any) -> None:
        self._record(name, grad_input)


class GradOutputMonitor(_Recorder):
    """Records the gradients to the outputs of modules, as the backward pass reaches them.

    Arguments:
        net: The net.
        instance: The class of the modules, or several in a tuple; the net's own by default.
        function_on_grad_output: Applied to each gradient, whose result is recorded.
    Raises:
        TypeError: ``net`` is not an nn.Module, or ``instance`` no class.
        ValueError: The net has no such module.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
        >>> with GradOutputMonitor(net, nn.Sigmoid) as grads:
        ...     net(torch.rand(3, 2)).sum().backward()
        >>> grads["1"]
        [tensor([[1.],
                [1.],
                [1.]])]
    """

    def __init__(
        self,
        net: nn.Module,
        instance: Kinds | None = None,
        function_on_grad_output: Function = _same,
    ) -> None:
        super().__init__(function_on_grad_output)
        for name, module in self._watch(net, instance).items():
            hook = self.hook(GradOutputMonitor._see, name)
            self._handles.append(module.register_full_backward_hook(hook))

    def _see(self, name: str, module: nn.Module, grad_input: Any, grad_output: Any) -> None:
        self._record(name, grad_output)

"""How each layer and neuron is written as a node of NIR."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import neuron
from ..base.parameter import check_number, check_positive

__all__ = ["check_dt", "load_nir", "written"]


def load_nir() -> Any:
    """The package nir."""
    try:
        import nir
    except ImportError as error:
        raise ImportError(
            f"NIR needs the package nir, which does not import ({error}): "
            "pip install 'spikeframe[nir]'"
        ) from error
    return nir


def check_dt(dt: Any) -> None:
    """Raise a TypeError or ValueError unless the length of a step is a time in seconds."""
    check_positive("dt", check_number("dt", dt), "seconds")


def written(module: nn.Module, name: str, shape: Sequence[int], dt: float) -> Any:
    """A module as a node, for inputs of a shape (without the batch).

    Raises:
        ValueError: NIR cannot say what the module does.
    """
    nir = load_nir()
    for kinds, write in (
        (nn.Linear, _linear),
        (nn.Conv1d, _conv),
        (nn.Conv2d, _conv),
        (nn.AvgPool2d, _pool),
        (nn.Flatten, _flatten),
        (neuron.RSynaptic, _recurrent),
        (neuron.RLeaky, _recurrent),
        (neuron.Synaptic, _synaptic),
        (neuron.Leaky, _leaky),
    ):
        if isinstance(module, kinds):
            return write(nir, module, name, tuple(shape), dt)
    raise ValueError(
        f"NIR has no node for {name} ({type(module).__name__}): it takes Linear, Conv1d, Conv2d, "
        "AvgPool2d, Flatten, Leaky, Synaptic, RLeaky and RSynaptic"
    )


def _linear(nir: Any, module: Any, name: str, shape: tuple[int, ...], dt: float) -> Any:
    if module.bias is None:
        return nir.Linear(weight=_array(module.weight))
    return nir.Affine(weight=_array(module.weight), bias=_array(module.bias))


def _conv(nir: Any, module: Any, name: str, shape: tuple[int, ...], dt: float) -> Any:
    if module.padding_mode != "zeros":
        raise ValueError(f"{name}: NIR pads with zeros, got padding_mode={module.padding_mode!r}")
    two, kernel = isinstance(module, nn.Conv2d), module.kernel_size
    # The package nir computes sizes of these wrongly, and then refuses to read them.
    if module.groups != 1 or (len(set(kernel)) > 1 and module.padding != "same"):
        raise ValueError(
            f"{name}: the package nir takes convolutions of one group and with square kernels, "
            f"got groups={module.groups} and kernel_size={kernel}"
        )
    bias = torch.zeros(module.out_channels) if module.bias is None else module.bias
    return (nir.Conv2d if two else nir.Conv1d)(
        input_shape=shape[-2:] if two else shape[-1],
        weight=_array(module.weight),
        stride=module.stride if two else module.stride[0],
        padding=module.padding if two or isinstance(module.padding, str) else module.padding[0],
        dilation=module.dilation if two else module.dilation[0],
        groups=module.groups,
        bias=_array(bias),
    )


def _pool(nir: Any, module: Any, name: str, shape: tuple[int, ...], dt: float) -> Any:
    if module.ceil_mode or module.divisor_override or _has(module.padding):
        raise ValueError(
            f"{name}: NIR averages without padding, ceil_mode or divisor_override: leave them out"
        )
    sizes = (module.kernel_size, module.stride, module.padding)
    kernel, stride, padding = (np.array(_pair(size)) for size in sizes)
    return nir.AvgPool2d(kernel_size=kernel, stride=stride, padding=padding)


def _flatten(nir: Any, module: Any, name: str, shape: tuple[int, ...], dt: float) -> Any:
    first, last = (d - 1 if d > 0 else d for d in (module.start_dim, module.end_dim))
    return nir.Flatten(input_type={"input": np.array(shape)}, start_dim=first, end_dim=last)


def _leaky(nir: Any, module: Any, name: str, shape: tuple[int, ...], dt: float) -> Any:
    _check(module, name)
    beta, threshold = _spread(module.beta, shape), _spread(module.threshold, shape)
    zeros = np.zeros_like(threshold)
    if (beta == 1).all():
        node = nir.IF(r=np.full_like(beta, 1 / dt), v_threshold=threshold, v_reset=zeros)
    else:
        tau = _tau(name, "beta", beta, dt)
        node = nir.LIF(
            tau=tau, r=tau / dt, v_leak=zeros, v_threshold=threshold, v_reset=zeros.copy()
        )
    return _with_reset(node, module, name, dt)


def _synaptic(nir: Any, module: Any, name: str, shape: tuple[int, ...], dt: float) -> Any:
    _check(module, name)
    tau_syn = _tau(name, "alpha", _spread(module.alpha, shape), dt)
    tau_mem = _tau(name, "beta", _spread(module.beta, shape), dt)
    threshold = _spread(module.threshold, shape)
    node = nir.CubaLIF(
        tau_syn=tau_syn,
        tau_mem=tau_mem,
        r=tau_mem / dt,
        w_in=tau_syn / dt,
        v_leak=np.zeros_like(threshold),
        v_threshold=threshold,
        v_reset=np.zeros_like(threshold),
    )
    return _with_reset(node, module, name, dt)


def _recurrent(nir: Any, module: Any, name: str, shape: tuple[int, ...], dt: float) -> Any:
    """A graph of its own: the neuron and what its spikes go through."""
    write = _synaptic if isinstance(module, neuron.RSynaptic) else _leaky
    if module.recurrent is None:
        if len(shape) != 1:
            raise ValueError(
                f"{name}: NIR takes a feedback one to one of neurons [C], got {shape}"
            )
        back = nir.Linear(weight=np.diag(_spread(module.V, shape)))
    else:
        back = written(module.recurrent, f"{name}.recurrent", shape, dt)
    size = np.array(shape)
    return nir.NIRGraph(
        nodes={
            "input": nir.Input(input_type={"input": size}),
            "lif": write(nir, module, name, shape, dt),
            "w_rec": back,
            "output": nir.Output(output_type={"output": size}),
        },
        edges=[("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )


def _check(module: Any, name: str) -> None:
    """Raise where a neuron does what NIR cannot say."""
    kinds = ("Leaky", "Synaptic", "RLeaky", "RSynaptic")
    own = next(
        k.__name__ for k in type(module).__mro__ if k.__module__.startswith(neuron.__name__)
    )
    factor = torch.as_tensor(module.graded_spikes_factor)
    for wrong, what in (
        (own not in kinds, f"the dynamics of {own}"),
        (module.inhibition, "inhibition"),
        (module.state_quant is not None, "state_quant"),
        (bool((factor != 1).any()), "graded spikes"),
    ):
        if wrong:
            raise ValueError(f"NIR cannot say {what}, which {name} has")


def _with_reset(node: Any, module: Any, name: str, dt: float) -> Any:
    """The node with the reset, for which NIR has v_reset alone, in its metadata."""
    exact = module.reset_mechanism == "zero" and not module.reset_delay
    if not exact:
        warnings.warn(
            f"{name} is reset by {module.reset_mechanism!r}"
            f"{' in the next step' if module.reset_delay else ''}, which NIR says in its metadata "
            "only: readers other than spikeframe set the potential to 0 in the step of the spike "
            "(reset_mechanism='zero', reset_delay=False)",
            stacklevel=2,
        )
    reset = {"reset_mechanism": module.reset_mechanism, "reset_delay": int(module.reset_delay)}
    node.metadata = {**reset, "dt": dt}
    return node


def _tau(name: str, decay: str, values: Any, dt: float) -> Any:
    if (values == 1).any():
        raise ValueError(f"{name}: NIR takes a {decay} of less than 1, or 1 for all of a Leaky")
    return dt / (1 - values)


def _spread(value: Any, shape: tuple[int, ...]) -> Any:
    """A number or tensor as one value for each neuron."""
    return np.broadcast_to(_array(torch.as_tensor(value)), shape).copy()


def _array(tensor: Tensor) -> Any:
    dtype = torch.float64 if tensor.dtype == torch.float64 else torch.float32
    return tensor.detach().to("cpu", dtype).numpy().copy()


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


def _has(padding: Any) -> bool:
    return any(_pair(padding))

"""Base classes for surrogates written for SpikingJelly, with an autograd function of their own."""

__all__ = ["MultiArgsSurrogateFunctionBase", "SurrogateFunctionBase"]

from typing import Any

from torch import Tensor, nn


class SurrogateFunctionBase(nn.Module):
    r"""Accepts a SpikingJelly subclass as it is: static functions of x and the parameters.

    A new surrogate is better a :class:`Surrogate`: one method, no autograd function, and the
    kernels understand it. Both constructors in use are understood: ``(alpha, spiking)`` of
    release 0.0.0.0.14 and ``(spiking, **parameters)`` of 2.0.0. With other parameters than
    alpha the static functions are called by keyword, as 2.0.0 does.

    Arguments:
        first: By position: alpha in the older form, spiking (a bool) in the newer one.
        spiking: True calls ``spiking_function``, False ``primitive_function``.
        parameters: Parameters by name.

    Example:
        >>> import torch
        >>> from spikeframe import surrogate
        >>> class Mine(surrogate.SurrogateFunctionBase):
        ...     @staticmethod
        ...     def spiking_function(x, alpha):
        ...         return surrogate.atan.apply(x, alpha)
        >>> Mine(2.0)
        Mine(alpha=2.0, spiking=True)
        >>> Mine(2.0)(torch.tensor([-1.0, 1.0]))
        tensor([0., 1.])
    """

    def __init__(self, first: Any = None, /, spiking: bool = True, **parameters: Any) -> None:
        super().__init__()
        if isinstance(first, bool):
            spiking = first
        elif first is not None:
            parameters = {"alpha": first, **parameters}
        self.spiking = spiking
        self.parameter_names = tuple(parameters)
        for name, value in parameters.items():
            setattr(self, name, value)

    @staticmethod
    def spiking_function(x: Tensor, *args: Any, **parameters: Any) -> Tensor:
        """The spike with its surrogate gradient."""
        raise NotImplementedError("define the static method spiking_function(x, alpha)")

    @staticmethod
    def primitive_function(x: Tensor, *args: Any, **parameters: Any) -> Tensor:
        """The function whose derivative the surrogate gradient is."""
        raise NotImplementedError(
            "define the static method primitive_function(x, alpha), or keep spiking=True"
        )

    def set_spiking_mode(self, spiking: bool) -> None:
        """Chooses between spikes (True) and the primitive (False)."""
        self.spiking = spiking

    def extra_repr(self) -> str:
        shown = (*self.parameter_names, "spiking")
        return ", ".join(f"{name}={getattr(self, name)}" for name in shown)

    def forward(self, x: Tensor) -> Tensor:
        function = self.spiking_function if self.spiking else self.primitive_function
        if self.parameter_names == ("alpha",):
            return function(x, self.alpha)
        return function(x, **{name: getattr(self, name) for name in self.parameter_names})


class MultiArgsSurrogateFunctionBase(nn.Module):
    """Accepts a subclass for several parameters, which sets them and defines forward itself.

    Arguments:
        spiking: Which function forward calls.
        args: Ignored, as in SpikingJelly 0.0.0.0.14; the subclass keeps them.
        kwargs: Ignored likewise.
    """

    def __init__(self, spiking: bool, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.spiking = spiking

    def set_spiking_mode(self, spiking: bool) -> None:
        """Chooses between spikes (True) and the primitive (False)."""
        self.spiking = spiking

"""snnTorch's export to NIR."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ... import exchange

__all__ = ["export_to_nir"]


def export_to_nir(
    module: nn.Module,
    sample_data: Tensor,
    model_name: str = "snntorch",
    model_fwd_args: Sequence[Any] = (),
    ignore_dims: Sequence[int] = (),
) -> Any:
    """A net as a graph of NIR: :func:`spikeframe.exchange.to_nir`, whose batch is the first size.

    ``model_name`` and ``ignore_dims`` are accepted and not needed.

    Raises:
        ValueError: There are other arguments of the net's forward, which NIR cannot say.
    """
    if model_fwd_args:
        raise ValueError(
            f"model_fwd_args must be empty, as a graph of NIR has its input alone, got "
            f"{list(model_fwd_args)}"
        )
    return exchange.to_nir(module, sample_data)

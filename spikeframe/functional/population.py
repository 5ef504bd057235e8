"""Population codes: several output neurons stand for one class."""

from torch import Tensor

__all__ = ["population_sum"]


def population_sum(x: Tensor, classes: int) -> Tensor:
    r"""Sum the neurons that stand for the same class, which are neighbours.

    Arguments:
        x: Spikes, counts or potentials of the output neurons.
        classes: Number of classes, which divides the number of neurons.
    Shape:
        x: [\*, C P]; output: [\*, C].
    Raises:
        ValueError: ``classes`` is not a positive int that divides the number of neurons.

    Example:
        >>> import torch
        >>> population_sum(torch.tensor([[1.0, 0.0, 1.0, 1.0]]), 2)
        tensor([[1., 2.]])
    """
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
        raise ValueError(
            f"a population code needs the number of classes, an int of at least 1, got {classes!r}"
        )
    if x.shape[-1] % classes:
        raise ValueError(
            f"the number of classes must divide the output neurons, got {classes} classes for "
            f"{x.shape[-1]} neurons: give every class as many neurons"
        )
    return x.unflatten(-1, (classes, -1)).sum(-1)

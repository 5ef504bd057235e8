"""Population codes: neighbours stand for one class."""

import pytest
import torch

from spikeframe import functional


def test_neighbours_are_summed():
    x = torch.arange(24.0).reshape(2, 2, 6)
    expected = torch.stack([x[..., 0:2].sum(-1), x[..., 2:4].sum(-1), x[..., 4:6].sum(-1)], -1)
    assert torch.equal(functional.population_sum(x, 3), expected)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (4, "must divide the output neurons, got 4 classes for 6 neurons"),
        (False, "needs the number of classes, an int of at least 1, got False"),
        (0, "got 0"),
    ],
)
def test_a_code_that_does_not_divide_is_refused(classes, message):
    with pytest.raises(ValueError, match=message):
        functional.population_sum(torch.ones(2, 6), classes)

"""Accuracies of the three readouts."""

import pytest
import torch

from spikeframe import functional

# Class 1 fires most, class 0 first, class 2 has the highest potential.
S_SEQ = torch.tensor([[[1.0, 0, 0]], [[0, 1, 0]], [[0, 1, 1]]])
V_SEQ = torch.tensor([[[0.5, 0.1, 0.2]], [[0.3, 0.4, 0.1]], [[0.1, 0.4, 0.9]]])


@pytest.mark.parametrize(
    ("accuracy", "outputs", "right"),
    [
        (functional.rate_accuracy, S_SEQ, 1),
        (functional.first_spike_accuracy, S_SEQ, 0),
        (functional.membrane_accuracy, V_SEQ, 2),
    ],
)
def test_the_class_read_out(accuracy, outputs, right):
    outputs = outputs.repeat(1, 3, 1)
    assert accuracy(outputs, torch.tensor([right] * 3)) == 1.0
    assert accuracy(outputs, torch.tensor([0, 1, 2])) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="one label for each of the 3 samples"):
        accuracy(outputs, torch.tensor([0]))


def test_equal_outputs_give_the_first_class():
    silent = torch.zeros(4, 2, 3)
    target = torch.tensor([0, 1])
    assert functional.rate_accuracy(silent, target) == 0.5
    assert functional.first_spike_accuracy(silent, target) == 0.5

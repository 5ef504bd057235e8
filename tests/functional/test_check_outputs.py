"""What losses and metrics share: the refusals, the weights of classes, the reductions."""

import pytest
import torch

from spikeframe.functional.check_outputs import (
    check_labels,
    check_reduction,
    check_share,
    reduced,
    weighted,
)

X_SEQ, LABELS = torch.zeros(4, 3, 2), torch.zeros(3, dtype=torch.long)


def test_outputs_and_labels_that_belong_together():
    check_labels("f", X_SEQ, LABELS)
    check_labels("f", torch.zeros(1, 0, 2), LABELS[:0])


@pytest.mark.parametrize(
    ("x_seq", "target", "text"),
    [
        (X_SEQ[0], LABELS, r"f takes the outputs of all steps, \[T, N, C\], got \[3, 2\]: stack"),
        (X_SEQ[None], LABELS, r"got \[1, 4, 3, 2\]: stack"),
        (X_SEQ[:0], LABELS, r"got \[0, 3, 2\]: stack"),
        (X_SEQ, LABELS[:2], r"f takes one label for each of the 3 samples, \[N\], got \[2\]"),
        (X_SEQ, LABELS[:, None], r"each of the 3 samples, \[N\], got \[3, 1\]"),
        (X_SEQ, LABELS[0], r"each of the 3 samples, \[N\], got \[\]"),
    ],
)
def test_outputs_and_labels_that_do_not(x_seq, target, text):
    with pytest.raises(ValueError, match=text):
        check_labels("f", x_seq, target)


def test_labels_are_tensors():
    with pytest.raises(
        TypeError, match="f takes outputs and labels as tensors, got Tensor and li"
    ):
        check_labels("f", X_SEQ, [0, 1, 0])
    with pytest.raises(TypeError, match="got NoneType and Tensor"):
        check_labels("f", None, LABELS)


def test_shares():
    for value in (0, 1, 0.25):
        share = check_share("lamb", value)
        assert (share, type(share)) == (value, float)
    for value in (-0.1, 1.1, 2, float("nan")):
        with pytest.raises(ValueError, match=f"lamb must be from 0 to 1, got {value}"):
            check_share("lamb", value)
    for value in (True, "1", None, torch.tensor(0.5)):
        with pytest.raises(TypeError, match="lamb must be a number, got"):
            check_share("lamb", value)


def test_losses_times_the_weights_of_their_classes():
    weight, target = torch.tensor([1.0, 10.0, 100.0]), torch.tensor([2, 0])
    by_sample = torch.tensor([1.0, 2.0]).double()
    assert weighted(by_sample, target, None) is by_sample
    found = weighted(by_sample, target, weight.double())
    assert (found.tolist(), found.dtype) == ([100.0, 2.0], torch.float64)
    assert weighted(by_sample.half(), target, weight).dtype == torch.half
    by_class = torch.tensor([[1.0, 2, 3], [4, 5, 6]])
    expected = [[100.0, 200, 300], [4, 5, 6]]
    assert weighted(by_class, target, weight).tolist() == expected
    assert weighted(by_class.expand(5, 2, 3), target, weight)[4].tolist() == expected


def test_losses_as_one_number_or_as_they_are():
    loss = torch.tensor([1.0, 2.0, 6.0])
    assert reduced(loss, "mean") == 3.0
    assert reduced(loss, "sum") == 9.0
    assert reduced(loss, "none") is loss
    assert check_reduction("sum") == "sum"
    for wrong in ("max", None, "Mean"):
        with pytest.raises(ValueError, match="'mean', 'sum' or 'none', got"):
            reduced(loss, wrong)

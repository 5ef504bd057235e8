"""Losses as objects: what they hand on, and what they refuse. Their values are the natives'."""

import pytest
import torch

from spikeframe import functional
from spikeframe.compat.snntorch import functional as SF

S_SEQ = (torch.rand(6, 3, 4, generator=torch.Generator().manual_seed(0)) < 0.4).float()
TARGET = torch.tensor([1, 3, 0])


def test_names_by_which_loops_know_them():
    for name in ("ce_rate_loss", "mse_membrane_loss", "ce_temporal_loss", "mse_temporal_loss"):
        assert getattr(SF, name)().__name__ == name
    assert SF.l1_rate_sparsity().__name__ == "l1_rate_sparsity"


def test_objects_hand_their_arguments_on():
    weight = torch.rand(4)
    options = {"weight": weight, "reduction": "sum"}
    pairs = [
        (SF.ce_rate_loss(**options), functional.rate_cross_entropy),
        (SF.ce_count_loss(**options), functional.count_cross_entropy),
        (SF.ce_max_membrane_loss(**options), functional.max_membrane_cross_entropy),
        (SF.mse_count_loss(**options), functional.count_mse),
        (SF.mse_membrane_loss(**options), functional.membrane_mse),
        (SF.ce_temporal_loss(**options), functional.spike_time_cross_entropy),
    ]
    for loss, native in pairs:
        assert loss(S_SEQ, TARGET) == native(S_SEQ, TARGET, **options)


def test_several_spikes_are_wanted():
    loss = SF.mse_temporal_loss(on_target=[0, 2], off_target=[4, -1], multi_spike=True)
    wanted = functional.spike_time_targets(TARGET, 4, 6, [0, 2], [4, -1])
    assert loss(S_SEQ, TARGET) == functional.spike_time_mse(S_SEQ, wanted)
    times, found = SF.SpikeTime(on_target=[0, 2], off_target=[4, -1], multi_spike=True)(
        S_SEQ, TARGET
    )
    assert torch.equal(found, wanted)
    assert torch.equal(times, functional.spike_times(S_SEQ, 2))


def test_a_spike_nearly_on_time_is_on_time():
    times, _ = SF.SpikeTime(target_is_time=True, tolerance=9)(S_SEQ, torch.full((3, 4), 2.0))
    assert (times == 2).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SF.ce_temporal_loss("minus"), "inverse must be 'negate' or 'reciprocal'"),
        (
            lambda: SF.mse_temporal_loss(target_is_time=True, weight=torch.ones(4)),
            "weight is by class",
        ),
        (lambda: SF.SpikeTime(multi_spike=True)(S_SEQ, TARGET), "takes a list of times"),
        (
            lambda: SF.ce_rate_loss(population_code=True)(S_SEQ, TARGET),
            "needs the number of classes",
        ),
        (
            lambda: SF.ce_count_loss(population_code=True, num_classes=3)(S_SEQ, TARGET),
            "must divide the output neurons, got 3 classes for 4 neurons",
        ),
        (
            lambda: SF.accuracy_rate(S_SEQ, TARGET, population_code=True, num_classes=3),
            "must divide",
        ),
        (
            lambda: SF.mse_membrane_loss(time_var_targets=True)(S_SEQ, TARGET),
            r"targets must have 2 dimensions, \[T, N\], got \[3\]",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

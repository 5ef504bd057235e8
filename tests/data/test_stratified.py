import pytest
import torch

from spikeframe.data import stratified
from spikeframe.data.stratified import first_of_each_class

LABELS = torch.tensor([0, 1, 2, 2, 1, 2, 2, 0, 2, 2, 2, 1, 2, 2] * 5)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_every_class_gives_its_share(share):
    stays, taken = stratified(LABELS, share, seed=0)
    assert sorted(torch.cat([stays, taken]).tolist()) == list(range(len(LABELS)))
    for part in (stays, taken):
        assert part.tolist() == sorted(part.tolist())
    for label in range(3):
        count = int((LABELS.eq(label)).sum())
        assert int((LABELS[taken] == label).sum()) == round(share * count)


def test_seed_decides_and_the_global_generator_does_not():
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first, again, other = (stratified(LABELS, 0.2, seed)[1] for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_first_of_each_class_are_taken():
    _, taken = first_of_each_class(LABELS, 0.1)
    assert LABELS[taken].tolist().count(2) == 4
    for label in range(3):
        members = (LABELS.eq(label)).nonzero().flatten()
        mine = taken[LABELS[taken] == label]
        assert torch.equal(mine, members[: len(mine)])


def test_small_classes_give_one_and_keep_one():
    stays, taken = stratified(torch.tensor([0, 0, 1, 1]), 0.01, seed=0)
    assert len(stays) == len(taken) == 2
    stays, taken = stratified(torch.tensor([0, 0, 1, 1]), 0.99, seed=0)
    assert len(stays) == len(taken) == 2


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="class 1 has a single sample"):
        stratified(torch.tensor([0, 0, 1]), 0.5, seed=0)
    for share in (0, 1, -0.1, float("nan")):
        with pytest.raises(ValueError, match="a share must lie between 0 and 1, got"):
            stratified(LABELS, share, seed=0)

import pytest
import torch
from torch.utils.data import DataLoader

from spikeframe.data import collate_sequences, pad_sequence_collate, padded_sequence_mask


def samples(lengths, shape=(2, 3)):
    return [(torch.full((n, *shape), float(i + 1)), i) for i, n in enumerate(lengths)]


def test_collate_puts_time_first():
    x_seq, labels = collate_sequences(samples([4, 4, 4]))
    assert x_seq.shape == (4, 3, 2, 3)
    assert x_seq[0, :, 0, 0].tolist() == [1, 2, 3]
    assert labels.tolist() == [0, 1, 2]
    assert labels.dtype == torch.int64


def test_collate_serves_a_loader():
    loader = DataLoader(samples([4] * 5), batch_size=2, collate_fn=collate_sequences)
    assert [tuple(x.shape) for x, _ in loader] == [(4, 2, 2, 3), (4, 2, 2, 3), (4, 1, 2, 3)]


def test_collate_refuses_ragged_sequences():
    with pytest.raises(ValueError, match="must have one shape.*use pad_sequence_collate"):
        collate_sequences(samples([4, 5]))


def test_padding_is_behind_each_sequence_and_masked():
    lengths = [3, 1, 5]
    x_seq, labels, found, mask = pad_sequence_collate(samples(lengths))
    assert x_seq.shape == (5, 3, 2, 3)
    assert found.tolist() == lengths
    assert labels.tolist() == [0, 1, 2]
    for n, length in enumerate(lengths):
        assert (x_seq[:length, n] == n + 1).all()
        assert (x_seq[length:, n] == 0).all()
        assert mask[:, n].tolist() == [True] * length + [False] * (5 - length)


def test_padding_takes_numpy_and_refuses_other_steps():
    assert pad_sequence_collate([(x.numpy(), y) for x, y in samples([1, 2])]).x_seq.shape[0] == 2
    with pytest.raises(ValueError, match=r"steps must have one shape, got \[\(2,\), \(3,\)\]"):
        pad_sequence_collate([(torch.zeros(2, 3), 0), (torch.zeros(2, 2), 0)])


def test_mask_may_be_longer_than_every_sequence():
    assert padded_sequence_mask(torch.tensor([1, 2]), 3).tolist() == [
        [True, True],
        [False, True],
        [False, False],
    ]
    with pytest.raises(ValueError, match="T must be at least the longest length 2, got 1"):
        padded_sequence_mask(torch.tensor([1, 2]), 1)


@pytest.mark.parametrize("collate", [collate_sequences, pad_sequence_collate])
def test_no_samples_are_no_batch(collate):
    with pytest.raises(ValueError, match="a batch must hold at least one sample, got none"):
        collate([])

"""Samples into batches with time first: equal lengths stacked, ragged ones padded and masked."""

__all__ = ["PaddedBatch", "collate_sequences", "pad_sequence_collate", "padded_sequence_mask"]

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Sample = tuple[Tensor, int | Tensor]


class PaddedBatch(NamedTuple):
    r"""Sequences of unequal length in one tensor.

    Arguments:
        x_seq: Padded with zeros behind each sequence's end, [T, N, \*].
        labels: Class of each sequence, [N].
        lengths: Steps of each sequence, [N].
        mask: True where x_seq is a sequence's own step, [T, N].
    """

    x_seq: Tensor
    labels: Tensor
    lengths: Tensor
    mask: Tensor


def collate_sequences(batch: Iterable[Sample]) -> tuple[Tensor, Tensor]:
    r"""Stack (sequence, label) pairs to [T, N, \*] and [N]: a ``collate_fn`` for DataLoader.

    Raises:
        ValueError: the sequences differ in shape, or there are none.

    Example:
        >>> x_seq, labels = collate_sequences([(torch.zeros(4, 2, 8, 8), 3)] * 5)
        >>> x_seq.shape, labels
        (torch.Size([4, 5, 2, 8, 8]), tensor([3, 3, 3, 3, 3]))
    """
    sequences, labels = _parts(batch)
    shapes = sorted({tuple(x.shape) for x in sequences})
    if len(shapes) > 1:
        raise ValueError(
            f"sequences must have one shape, got {shapes}: use pad_sequence_collate where their "
            "lengths differ"
        )
    return torch.stack(sequences, dim=1), labels


def pad_sequence_collate(batch: Iterable[Sample]) -> PaddedBatch:
    r"""Pad (sequence, label) pairs of any lengths: a ``collate_fn`` for DataLoader.

    SpikingJelly's returns (x [N, T, \*], labels, lengths); here time comes first, and the mask
    is there too.

    Raises:
        ValueError: the sequences differ in more than their length, or there are none.

    Example:
        >>> batch = pad_sequence_collate([(torch.ones(2, 3), 0), (torch.ones(4, 3), 1)])
        >>> batch.x_seq.shape, batch.lengths
        (torch.Size([4, 2, 3]), tensor([2, 4]))
        >>> batch.mask[:, 0]
        tensor([ True,  True, False, False])
    """
    sequences, labels = _parts(batch)
    shapes = sorted({tuple(x.shape[1:]) for x in sequences})
    if len(shapes) > 1:
        raise ValueError(f"steps must have one shape, got {shapes}: resize them first")
    lengths = torch.tensor([len(x) for x in sequences])
    x_seq = pad_sequence(sequences)
    return PaddedBatch(x_seq, labels, lengths, padded_sequence_mask(lengths, len(x_seq)))


def padded_sequence_mask(lengths: Tensor, T: int | None = None) -> Tensor:
    """True at a sequence's own steps, False behind its end, [T, N].

    Arguments:
        lengths: Steps of each sequence, [N].
        T: Steps of the padded batch; the longest length by default.

    Raises:
        ValueError: T is less than a length.

    Example:
        >>> padded_sequence_mask(torch.tensor([1, 3])).int()
        tensor([[1, 1],
                [0, 1],
                [0, 1]], dtype=torch.int32)
    """
    longest = int(lengths.max()) if len(lengths) else 0
    steps = longest if T is None else T
    if steps < longest:
        raise ValueError(f"T must be at least the longest length {longest}, got {steps}")
    return torch.arange(steps, device=lengths.device)[:, None] < lengths


def _parts(batch: Iterable[Sample]) -> tuple[list[Tensor], Tensor]:
    samples = list(batch)
    if not samples:
        raise ValueError("a batch must hold at least one sample, got none")
    sequences, labels = zip(*samples, strict=True)
    return [torch.as_tensor(x) for x in sequences], torch.tensor([int(y) for y in labels])

"""The handwritten digits that come with scikit-learn: real images without a download."""

__all__ = ["digit_order", "load_digits", "read_digits"]

import torch

from .images import ImageSet, Split

FULL_INTENSITY = 16  # an image counts the dark pixels in 4x4 blocks of a 32x32 scan
N_DIGITS = 1797
N_TEST = 360  # 20 % of 1797, rounded up; the same for both splits, so that they compare


def load_digits(*, split: str = "random", seed: int = 0) -> Split[ImageSet]:
    """Load 1797 handwritten digits, [1, 8, 8], as 1437 images to train and 360 to test.

    The images lie in the order in which people wrote them, so the last ones come from other
    writers than the first: `'writers'` asks whether a net reads the hand of a stranger.

    Arguments:
        split: `'random'` takes 360 images by chance for the test, `'writers'` the last 360.
        seed: Seed of the random split; the split `'writers'` draws nothing.

    Raises:
        ImportError: scikit-learn is not installed or does not import.
        ValueError: split is neither of the two.

    References:
        | Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, 1998)
        | https://doi.org/10.24432/C50P49

    Example:
        >>> train, test = load_digits(split="writers")
        >>> train, len(test)
        (ImageSet(1437 images [1, 8, 8], 10 classes), 360)
    """
    train, test = digit_order(split, seed)
    digits = read_digits()
    return Split(train=digits.take(train), test=digits.take(test))


def digit_order(split: str, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Which digits are for training and which for the test.

    Raises:
        ValueError: split is neither 'random' nor 'writers'.
    """
    if split not in ("random", "writers"):
        raise ValueError(f"split must be 'random' or 'writers', got {split!r}")
    order = torch.arange(N_DIGITS)
    if split == "random":
        order = torch.randperm(N_DIGITS, generator=torch.Generator().manual_seed(seed))
    return order[:-N_TEST], order[-N_TEST:]


def read_digits() -> ImageSet:
    """All digits in the order in which they were written.

    Raises:
        ImportError: scikit-learn is not installed or does not import.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "the digits come with scikit-learn, which does not import here "
            f"({error}): pip install 'spikeframe[train]'"
        ) from error
    bunch = datasets.load_digits()
    images = torch.from_numpy(bunch.images).float().div_(FULL_INTENSITY).unsqueeze(1)
    return ImageSet(images, torch.from_numpy(bunch.target).long(), tuple("0123456789"))

import gzip
import struct

import numpy as np
import pytest
import torch

from spikeframe.data import DataError, load_fashion_mnist, load_mnist
from spikeframe.data.idx import read_idx

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"


def header(*shape, kind=8):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape)


def check_equal(data, images, labels):
    assert data.images.shape == (len(images), 1, *images.shape[1:])
    assert torch.equal(data.images[:, 0], torch.from_numpy(images).float() / 255)
    assert data.labels.tolist() == labels.tolist()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("load", "folder"),
    [
        (load_mnist, "."),
        (load_mnist, "mnist"),
        (load_mnist, "MNIST/raw"),
        (load_fashion_mnist, "."),
        (load_fashion_mnist, "fashion-mnist"),
        (load_fashion_mnist, "FashionMNIST/raw"),
    ],
)
def test_load_reads_back_what_was_written(tmp_path, write_mnist, load, folder, packed):
    written = list(write_mnist(tmp_path / folder, packed=packed).values())
    train, test = load(tmp_path)
    check_equal(train, *written[:2])
    check_equal(test, *written[2:])


def test_load_tells_the_two_sets_apart(tmp_path, write_mnist):
    digits = write_mnist(tmp_path / "MNIST/raw", seed=1)
    garments = write_mnist(tmp_path / "FashionMNIST/raw", seed=2)
    check_equal(load_mnist(tmp_path).train, digits[TRAIN_IMAGES], digits[TRAIN_LABELS])
    check_equal(load_fashion_mnist(tmp_path).train, garments[TRAIN_IMAGES], garments[TRAIN_LABELS])


@pytest.mark.parametrize(
    ("load", "folder"), [(load_mnist, "mnist"), (load_fashion_mnist, "fashion-mnist")]
)
def test_load_prefers_the_folder_with_its_name(tmp_path, write_mnist, load, folder):
    write_mnist(tmp_path, seed=1)
    named = write_mnist(tmp_path / folder, seed=2)
    check_equal(load(tmp_path).train, named[TRAIN_IMAGES], named[TRAIN_LABELS])


def test_load_names_classes(tmp_path, write_mnist):
    write_mnist(tmp_path)
    assert load_mnist(tmp_path).train.classes == tuple("0123456789")
    classes = load_fashion_mnist(tmp_path).test.classes
    assert len(classes) == 10
    assert (classes[0], classes[9]) == ("T-shirt/top", "Ankle boot")


@pytest.mark.parametrize(
    ("load", "folders", "origin"),
    [
        (load_mnist, ("MNIST/raw", "mnist"), "yann.lecun.com/exdb/mnist"),
        (load_fashion_mnist, ("FashionMNIST/raw", "fashion-mnist"), "zalandoresearch"),
    ],
)
def test_missing_files_are_listed(tmp_path, write_mnist, load, folders, origin):
    for name in write_mnist(tmp_path):
        if name != TRAIN_LABELS:
            (tmp_path / name).rename(tmp_path / f"{name}.gz")
    (tmp_path / TRAIN_LABELS).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        load(tmp_path)
    text = str(caught.value)
    for part in (TRAIN_IMAGES, TRAIN_LABELS, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        assert part in text
    assert all(str(tmp_path / folder) in text for folder in folders)
    assert f"{tmp_path} has only some of them, it lacks {TRAIN_LABELS};" in text
    assert origin in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "at byte 0, expected 00 00 08 03 .*3 dimensions.*, found an empty file"),
        (header(2, 3), "at byte 0, .* found 00 00 08 02"),
        (header(2, 3, 1, kind=0x0D), "at byte 0, .*unsigned bytes.*, found 00 00 0d 03"),
        (b"\x00\x00\x08", "at byte 0, .* found 00 00 08$"),
        (b"<!DOCTYPE html>", "at byte 0, .* found 3c 21 44 4f"),
        (header(2, 3, 1)[:15], "at byte 4, .*header of 16 bytes, found 15 bytes in all"),
        (header(0, 3, 1), r"at byte 4, .*at least 1, found \[0, 3, 1\]"),
        (
            header(2, 3, 1),
            r"at byte 16, expected 22 bytes in all for \[2, 3, 1\] values, found .*16",
        ),
        (header(2, 3, 1) + bytes(5), "at byte 21, expected 22 bytes .* found the end .* after 21"),
        (header(2, 3, 1) + bytes(8), "at byte 22, expected the end .* found 2 bytes more"),
        (
            header(2**32 - 1, 2**32 - 1, 2**32 - 1),
            "at byte 16, expected 79228162458924105385300197391 bytes",
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_read_idx_reports_damage(tmp_path, content, match, packed):
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=f"images is damaged: {match}"):
        read_idx(path, n_dims=3)


def test_read_idx_returns_values_in_order(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "x").write_bytes(header(2, 3, 4) + values.tobytes())
    assert np.array_equal(read_idx(tmp_path / "x", n_dims=3), values)


def test_load_reports_labels_that_do_not_match_images(tmp_path, write_mnist):
    write_mnist(tmp_path)
    (tmp_path / TRAIN_LABELS).write_bytes(header(4) + bytes(4))
    match = f"{TRAIN_LABELS} is damaged: at byte 4, expected 5 labels, .*{TRAIN_IMAGES}, found 4"
    with pytest.raises(DataError, match=match):
        load_mnist(tmp_path)


def test_load_reports_label_out_of_range(tmp_path, write_mnist):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(header(3) + bytes([9, 10, 0]))
    match = "t10k-labels-idx1-ubyte is damaged: at byte 9, expected a label from 0 to 9, found 10"
    with pytest.raises(DataError, match=match):
        load_mnist(tmp_path)


def test_load_reports_two_image_sizes(tmp_path, write_mnist):
    write_mnist(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(header(3, 6, 4) + bytes(72))
    match = f"t10k-images-idx3-ubyte is damaged: at byte 8, .*4 x 6 .*{TRAIN_IMAGES}, found 6 x 4"
    with pytest.raises(DataError, match=match):
        load_mnist(tmp_path)

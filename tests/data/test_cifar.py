import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest
import torch

from spikeframe.data import DataError, load_cifar10

PUBLISHED = "www.cs.toronto.edu/~kriz/cifar.html"


def write_files(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def write_archive(path, contents, folder):
    """Write a tar as published: one folder, with a text file among the batches."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in {"readme.html": b"<html>", **contents}.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def check_equal(split, arrays):
    pixels = torch.from_numpy(np.concatenate([pixels for pixels, _ in arrays.values()]))
    labels = np.concatenate([labels for _, labels in arrays.values()])
    images = torch.cat([split.train.images, split.test.images])
    assert split.train.shape == (3, 32, 32)
    assert (len(split.train), len(split.test)) == (10, 2)
    assert torch.equal(images.flatten(1), pixels.float() / 255)
    assert split.train.labels.tolist() + split.test.labels.tolist() == labels.tolist()


@pytest.mark.parametrize("folder", [".", "cifar10", "cifar-10-batches-bin"])
def test_load_reads_binary_version(tmp_path, cifar_arrays, cifar_binary, folder):
    write_files(tmp_path / folder, cifar_binary)
    check_equal(load_cifar10(tmp_path), cifar_arrays)


@pytest.mark.parametrize("folder", [".", "cifar10", "cifar-10-batches-py"])
def test_load_reads_python_version(tmp_path, cifar_arrays, pickle_batch, folder):
    contents = {name: pickle_batch(*batch) for name, batch in cifar_arrays.items()}
    write_files(tmp_path / folder, contents)
    check_equal(load_cifar10(tmp_path), cifar_arrays)


def test_load_reads_every_spelling_of_a_pickle(tmp_path, cifar_arrays, spell_batch):
    write_files(tmp_path, {name: spell_batch(*batch) for name, batch in cifar_arrays.items()})
    check_equal(load_cifar10(tmp_path), cifar_arrays)


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_load_reads_binary_archive(tmp_path, cifar_arrays, cifar_binary, suffix):
    shuffled = dict(reversed(cifar_binary.items()))
    write_archive(tmp_path / f"cifar-10-binary.{suffix}", shuffled, "cifar-10-batches-bin")
    check_equal(load_cifar10(tmp_path), cifar_arrays)
    assert len(list(tmp_path.iterdir())) == 1


def test_load_reads_python_archive(tmp_path, cifar_arrays, pickle_batch):
    contents = {name: pickle_batch(*batch) for name, batch in cifar_arrays.items()}
    write_archive(tmp_path / "cifar-10-python.tar.gz", contents, "cifar-10-batches-py")
    check_equal(load_cifar10(tmp_path), cifar_arrays)


def test_load_orders_planes_red_green_blue(tmp_path, cifar_binary):
    pixels = np.zeros((3, 32, 32), np.uint8)
    pixels[0, 0, 5], pixels[1, 7, 0], pixels[2, 31, 31] = 51, 102, 255
    cifar_binary["test_batch.bin"] = bytes([4]) + pixels.tobytes()
    write_files(tmp_path, cifar_binary)
    test = load_cifar10(tmp_path).test
    assert test.classes[test.labels[0]] == "deer"
    assert test.images[0].nonzero().tolist() == [[0, 0, 5], [1, 7, 0], [2, 31, 31]]
    assert torch.equal(test.images[0, [0, 1], [0, 7], [5, 0]], torch.tensor([0.2, 0.4]))


def test_missing_files_are_listed(tmp_path, cifar_binary):
    del cifar_binary["data_batch_3.bin"]
    write_files(tmp_path / "cifar10", cifar_binary)
    with pytest.raises(FileNotFoundError) as caught:
        load_cifar10(tmp_path)
    text = str(caught.value)
    expected = [
        *(f"data_batch_{i}.bin, " for i in range(1, 6)),
        *(f"data_batch_{i}, " for i in range(1, 6)),
        "test_batch.bin (",
        "test_batch (",
        "cifar-10-binary.tar (plain or .gz)",
        "cifar-10-python.tar (plain or .gz)",
        str(tmp_path / "cifar-10-batches-bin"),
        str(tmp_path / "cifar-10-batches-py"),
        f"{tmp_path / 'cifar10'} has only some of them, it lacks data_batch_3.bin;",
        PUBLISHED,
    ]
    assert [part for part in expected if part not in text] == []
    assert "\n" not in text


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda content: content[:-1], "byte 3073, expected a record of 3073 bytes, found 3072"),
        (lambda content: content[:100], "byte 0, expected a record of 3073 bytes, found 100"),
        (lambda content: content + b"x", "byte 6146, expected a record of 3073 bytes, found 1"),
        (lambda content: b"", "byte 0, expected a record of 3073 bytes, found 0 bytes, 0 in all"),
        (lambda content: b"\x0a" + content[1:], "byte 0, expected a label from 0 to 9, found 10"),
        (
            lambda content: content[:3073] + b"\xff" + content[3074:],
            "byte 3073, expected a label from 0 to 9, found 255",
        ),
        (lambda content: content[:3073], "its end, expected 2 images as in .*1.bin, found 1"),
    ],
)
def test_load_reports_damaged_records(tmp_path, cifar_binary, change, place):
    name = "data_batch_4.bin"
    write_files(tmp_path, {**cifar_binary, name: change(cifar_binary[name])})
    with pytest.raises(DataError, match=f"{tmp_path / name} is damaged: at {place}"):
        load_cifar10(tmp_path)


GOOD = np.zeros((2, 3072), np.uint8)


@pytest.mark.parametrize(
    ("batch", "match"),
    [
        ([1, 2], "the top, expected a dict .* found list"),
        ({"data": GOOD}, r"the top, .* entry 'labels', found \['data'\]"),
        ({"labels": [1, 2]}, "the top, .* entry 'data'"),
        ({"data": "text", "labels": [1, 2]}, r"'data', .*\[n, 3072\], found str"),
        ({"data": GOOD.astype(float), "labels": [1, 2]}, "'data', .* not an array of unsigned"),
        ({"data": GOOD[:, 1:], "labels": [1, 2]}, r"'data', .* found one of shape \[2, 3071\]"),
        ({"data": GOOD[0], "labels": [1, 2]}, r"'data', .* found one of shape \[3072\]"),
        ({"data": GOOD, "labels": (1, 2)}, "'labels', .*list of whole numbers, found tuple"),
        ({"data": GOOD, "labels": [1, 2.0]}, "'labels', .*list of whole numbers"),
        ({"data": GOOD, "labels": [1]}, "'labels', expected 2 labels.*, found 1"),
        ({"data": GOOD, "labels": [1, 10]}, "'labels', item 1, .*from 0 to 9, found 10"),
        ({"data": GOOD, "labels": [-1, 1]}, "'labels', item 0, .*from 0 to 9, found -1"),
        ({"data": GOOD, "labels": [10**30, 1]}, "'labels', item 0, .*from 0 to 9, found 1000"),
    ],
)
def test_load_reports_damaged_pickle(tmp_path, cifar_arrays, pickle_batch, batch, match):
    contents = {name: pickle_batch(*batch) for name, batch in cifar_arrays.items()}
    write_files(tmp_path, {**contents, "data_batch_2": pickle.dumps(batch, protocol=2)})
    with pytest.raises(DataError, match=f"data_batch_2 is damaged: at .*{match}"):
        load_cifar10(tmp_path)


def test_load_reports_impossible_shape(tmp_path, cifar_arrays, pickle_batch):
    contents = {name: pickle_batch(*batch) for name, batch in cifar_arrays.items()}
    claim = b"\x8a\x09" + (2**70).to_bytes(9, "little")
    good = b"K\x02M\x00\x0c\x86"
    assert good in contents["test_batch"]
    contents["test_batch"] = contents["test_batch"].replace(good, claim + b"M\x00\x0c\x86")
    write_files(tmp_path, contents)
    with pytest.raises(DataError, match=r"test_batch is damaged: at entry 'data', .* \[n, 3072\]"):
        load_cifar10(tmp_path)


def test_load_refuses_pickle_that_calls(tmp_path, cifar_arrays, pickle_batch):
    contents = {name: pickle_batch(*batch) for name, batch in cifar_arrays.items()}
    write_files(tmp_path, {**contents, "test_batch": b"cos\nsystem\n(S'true'\ntR."})
    with pytest.raises(DataError, match=r"/test_batch is refused: .*asks for 'os\.system'"):
        load_cifar10(tmp_path)


def test_load_reports_member_in_archive(tmp_path, cifar_binary):
    cifar_binary["data_batch_2.bin"] = b"short"
    path = tmp_path / "cifar-10-binary.tar.gz"
    write_archive(path, cifar_binary, "cifar-10-batches-bin")
    with pytest.raises(DataError, match=rf"{path}:data_batch_2.bin is damaged: at byte 0"):
        load_cifar10(tmp_path)


def test_load_reports_archive_without_member(tmp_path, cifar_binary):
    del cifar_binary["test_batch.bin"]
    write_archive(tmp_path / "cifar-10-binary.tar", cifar_binary, "cifar-10-batches-bin")
    with pytest.raises(DataError, match=r"binary.tar is damaged: at its end, .*no test_batch.bin"):
        load_cifar10(tmp_path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda tar: gzip.compress(tar)[:-20_000], "a whole gzip stream"),
        (lambda tar: gzip.compress(tar)[:-8] + bytes(8), "a whole gzip stream, found CRC"),
        (lambda tar: tar[:20_000], "a whole tar archive, found unexpected end of data"),
        (lambda tar: b"x" * 2000, "a whole tar archive"),
        (lambda tar: b"", "a whole tar archive, found empty file"),
    ],
)
def test_load_reports_damaged_archive(tmp_path, cifar_binary, change, match):
    path = tmp_path / "cifar-10-binary.tar"
    write_archive(path, cifar_binary, "cifar-10-batches-bin")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=rf"binary.tar is damaged: at byte \d+.*expected {match}"):
        load_cifar10(tmp_path)

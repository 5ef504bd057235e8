import numpy as np
import pytest
from event_files import CIFAR_CLASSES, write_cifar10_dvs, write_npz
from recordings import content

from spikeframe.data import load_cifar10_dvs


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cifar10-dvs")
    return folder, write_cifar10_dvs(folder / "extract")


def names(data, written):
    """The names of a set's recordings, found by their events."""
    known = {content(events): name for name, events in written.items()}
    found = [known[content(events)] for events, _ in data]
    assert [name.split("_")[1] for name in found] == [data.classes[i] for i in data.labels]
    return found


def test_first_recordings_are_the_test(source):
    folder, written = source
    train, test = load_cifar10_dvs(folder, split="first")
    assert names(test, written) == [f"cifar10_{name}_0" for name in CIFAR_CLASSES]
    assert sorted(names(train, written) + names(test, written)) == sorted(written)


def test_random_split_is_stratified_and_depends_on_the_seed(source):
    folder, written = source
    splits = [load_cifar10_dvs(folder, seed=seed) for seed in (1, 1, 2)]
    tests = [names(split.test, written) for split in splits]
    assert tests[0] == tests[1] != tests[2]
    for split, test in zip(splits, tests, strict=True):
        assert split.test.labels.tolist() == list(range(10))
        assert sorted(names(split.train, written) + test) == sorted(written)


def test_load_reads_spikingjellys_files(source, tmp_path):
    _, written = source
    for name, events in written.items():
        write_npz(tmp_path / "events_np" / name.split("_")[1] / f"{name}.npz", events)
    train, test = load_cifar10_dvs(tmp_path, split="first")
    assert names(test, written) == [f"cifar10_{name}_0" for name in CIFAR_CLASSES]
    assert len(train) == 100


def test_events_keep_their_places(source):
    folder, written = source
    train, _ = load_cifar10_dvs(folder, split="first")
    assert np.array_equal(train[0][0], written["cifar10_airplane_1"])
    assert train.sensor == (2, 128, 128)


def test_wrong_split_and_missing_set_are_named(tmp_path):
    with pytest.raises(ValueError, match="split must be 'random' or 'first', got 'writers'"):
        load_cifar10_dvs(tmp_path, split="writers")
    (tmp_path / "cat.zip").write_bytes(b"")
    match = "looked for airplane/, .* truck/ in .*cat.zip must be unpacked first; published at"
    with pytest.raises(FileNotFoundError, match=match):
        load_cifar10_dvs(tmp_path)

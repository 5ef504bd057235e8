import subprocess
import sys

import numpy as np
import pytest
import torch
from event_files import write_cifar10_dvs, write_gesture, write_n_mnist

from spikeframe.data import (
    EVENT_SETS,
    IMAGE_SETS,
    SPLITS,
    event_digits,
    load_cifar10_dvs,
    load_digits,
    load_events,
    load_images,
)


def test_image_sets_are_named():
    assert IMAGE_SETS == ("digits", "mnist", "fashion-mnist", "cifar10")


def test_load_images_passes_split_and_seed():
    for options in ({"split": "writers"}, {"seed": 4}):
        train, test = load_images("digits", **options)
        expected = load_digits(**options)
        assert torch.equal(train.images, expected.train.images)
        assert torch.equal(test.labels, expected.test.labels)


@pytest.mark.parametrize(
    ("name", "first_class"), [("mnist", "0"), ("fashion-mnist", "T-shirt/top")]
)
def test_load_images_reads_folder(tmp_path, write_mnist, name, first_class):
    arrays = write_mnist(tmp_path)
    train, _ = load_images(name, tmp_path)
    assert train.classes[0] == first_class
    assert train.labels.tolist() == arrays["train-labels-idx1-ubyte"].tolist()


def test_load_images_reads_cifar10(tmp_path, cifar_binary):
    for name, content in cifar_binary.items():
        (tmp_path / name).write_bytes(content)
    assert load_images("cifar10", tmp_path).train.shape == (3, 32, 32)


def test_load_images_lists_names():
    match = "one of 'digits', 'mnist', 'fashion-mnist', 'cifar10', got 'MNIST'"
    with pytest.raises(ValueError, match=match):
        load_images("MNIST")


def test_load_images_refuses_folder_for_digits(tmp_path):
    with pytest.raises(ValueError, match=f"read from no folder, got {tmp_path}"):
        load_images("digits", tmp_path)


@pytest.mark.parametrize("name", IMAGE_SETS[1:])
def test_load_images_refuses_to_split_again(tmp_path, name):
    with pytest.raises(ValueError, match=f"'{name}' is published .* got split='writers'"):
        load_images(name, tmp_path, split="writers")


@pytest.mark.parametrize("name", IMAGE_SETS[1:])
def test_load_images_asks_for_folder(name):
    with pytest.raises(
        FileNotFoundError, match=rf"{name} is read .*--data-dir.*published at http"
    ):
        load_images(name)


def test_event_sets_are_named():
    assert EVENT_SETS == ("event-digits", "n-mnist", "dvs-gesture", "cifar10-dvs", "shd", "ssc")
    assert set(SPLITS) <= {*IMAGE_SETS, *EVENT_SETS}
    with pytest.raises(ValueError, match="one of 'event-digits', .*, 'ssc', got 'mnist'"):
        load_events("mnist")


def test_load_events_passes_split_and_seed(tmp_path):
    for options in ({"split": "writers"}, {"seed": 4}):
        found = load_events("event-digits", **options).test.labels
        assert torch.equal(found, event_digits(**options).test.labels)
    write_cifar10_dvs(tmp_path, per_class=10, n=4)
    for options in ({"split": "first"}, {"seed": 4}):
        own = load_cifar10_dvs(tmp_path, **options).test[3][0]
        assert np.array_equal(load_events("cifar10-dvs", tmp_path, **options).test[3][0], own)


def test_load_events_reads_folders(tmp_path):
    write_n_mnist(tmp_path / "a", per_class=1)
    assert load_events("n-mnist", tmp_path / "a").train.shape == (2, 34, 34)
    write_gesture(tmp_path / "b")
    assert load_events("dvs-gesture", tmp_path / "b").test.classes[8] == "air drums"


def test_load_events_refuses_what_does_not_go_together(tmp_path):
    with pytest.raises(ValueError, match=f"'event-digits' come with .* got {tmp_path}"):
        load_events("event-digits", tmp_path)
    with pytest.raises(ValueError, match="'shd' is published .* got split='first'"):
        load_events("shd", tmp_path, split="first")
    for name in EVENT_SETS[1:]:
        with pytest.raises(FileNotFoundError, match=rf"{name} is read .*--data-dir"):
            load_events(name)


def test_import_loads_no_optional_package():
    optional = {"sklearn", "scipy", "PIL", "h5py", "tonic", "torchvision"}
    code = f"import sys, spikeframe.data; print({optional} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"

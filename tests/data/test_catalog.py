import subprocess
import sys

import pytest
import torch

from spikeframe.data import IMAGE_SETS, load_digits, load_images


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


def test_import_loads_no_optional_package():
    code = "import sys, spikeframe.data; print({'sklearn', 'scipy', 'PIL'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"

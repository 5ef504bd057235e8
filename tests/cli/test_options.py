import dataclasses

import pytest

from spikeframe.cli.errors import CommandError
from spikeframe.cli.options import (
    OPTIMIZERS,
    Options,
    complete,
    continued,
    fixed_values,
    saved_values,
)


def test_complete_fills_in_the_defaults():
    assert complete({}) == Options()
    assert complete({"opt": "sgd"}).lr == OPTIMIZERS["sgd"]
    assert complete({"opt": "sgd", "lr": 1}).lr == 1
    assert complete({"data": "mnist"}).epochs == 10
    assert complete({"data": "digits"}).epochs == Options().epochs


def test_saved_values_make_the_same_options_again():
    options = complete({"neuron": "plif", "tau": 3.0, "threads": 2, "out_dir": "x"})
    again = continued(saved_values(options), {}, "file")
    assert again == dataclasses.replace(options, out_dir=None)


@pytest.mark.parametrize("name", sorted(fixed_values(Options())))
def test_continued_refuses_to_change_the_numbers(name):
    saved = saved_values(Options())
    other = {str: "other", int: 99, float: 99.0, bool: True}[type(saved[name])]
    with pytest.raises(CommandError, match="disagrees with file, made with .* leave it out"):
        continued(saved, {name: other}, "file")
    assert continued(saved, {name: saved[name]}, "file") == Options()


def test_continued_refuses_options_of_another_kind():
    saved = saved_values(Options())
    for wrong in ({**saved, "more": 1}, {k: v for k, v in saved.items() if k != "lr"}, {1: 2}):
        with pytest.raises(CommandError, match="its options are not those of spikeframe train"):
            continued(wrong, {}, "file")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("steps", "4", "-T has the value '4', which is of the wrong type"),
        ("steps", True, "-T has the value True, which is of the wrong type"),
        ("amp", 1, "--amp has the value 1, which is of the wrong type"),
        ("lr", None, "--lr has the value None, which is of the wrong type"),
        ("neuron", "lof", "--neuron must be one of if, lif, plif, got 'lof'"),
        ("tau", 0.5, "--tau must be finite and greater than 1"),
        ("threads", 0, "--threads must be at least 1, got 0"),
    ],
)
def test_continued_checks_what_a_checkpoint_says(name, value, text):
    with pytest.raises(CommandError, match=f"^{text}"):
        continued({**saved_values(Options()), name: value}, {}, "file")

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
from spikeframe.cli.recipes import RECIPES


def test_complete_fills_in_the_defaults():
    assert complete({}) == Options()
    assert complete({"opt": "sgd"}).lr == OPTIMIZERS["sgd"]
    assert complete({"opt": "sgd", "lr": 1}).lr == 1
    assert complete({"data": "mnist"}).epochs == 10
    assert complete({"data": "digits"}).epochs == Options().epochs


def test_complete_fills_in_the_recipe_of_the_data():
    for name, recipe in RECIPES.items():
        options = complete({"data": name})
        for field in ("validation", "split_by", "steps", "epochs", "batch_size", "tau"):
            assert getattr(options, field) == getattr(recipe, field), (name, field)
        assert options.baseline is recipe.baseline
    own = complete({"data": "shd", "epochs": 3, "tau": 4.0, "baseline": True, "validation": 0.0})
    assert (own.epochs, own.tau, own.baseline, own.validation) == (3, 4.0, True, 0.0)


@pytest.mark.parametrize(("name", "value"), [("split_by", "time"), ("cache_dir", "x")])
def test_complete_refuses_what_is_for_events(name, value):
    match = f"--{name.replace('_', '-')} is for recordings of events, digits are images"
    with pytest.raises(CommandError, match=match):
        complete({name: value})
    assert getattr(complete({"data": "n-mnist", name: value}), name) == value


def test_saved_values_make_the_same_options_again():
    options = complete({"neuron": "plif", "tau": 3.0, "threads": 2, "out_dir": "x"})
    again = continued(saved_values(options), {}, "file")
    assert again == dataclasses.replace(options, out_dir=None)


@pytest.mark.parametrize("name", sorted(fixed_values(Options())))
def test_continued_refuses_to_change_the_numbers(name):
    saved = saved_values(Options())
    other = {str: "other", int: 99, float: 99.0, bool: True}[type(saved[name])]
    text = "disagrees with file, made with .* leave it out"
    if name == "processes":
        text = "file was made by 1 processes, this is a run of 99: use torchrun --nproc-per-node 1"
    with pytest.raises(CommandError, match=text):
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
        ("validation", 1.0, "--validation must be at least 0 and less than 1, got 1.0"),
        ("split_by", "half", "--split-by must be one of time, number, got 'half'"),
    ],
)
def test_continued_checks_what_a_checkpoint_says(name, value, text):
    with pytest.raises(CommandError, match=f"^{text}"):
        continued({**saved_values(Options()), name: value}, {}, "file")

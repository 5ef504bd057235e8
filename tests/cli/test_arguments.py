import pytest

from spikeframe.cli.arguments import parse


def test_parse_leaves_out_what_was_not_given():
    assert parse(["train"]) == {"command": "train"}
    assert parse(["show", "clip.bin"]) == {"command": "show", "what": "clip.bin"}


def test_parse_names_the_fields_of_the_options():
    switches = ["-T", "8", "-b", "32", "-j", "2", "--amp", "--no-baseline", "--tau", "3"]
    folders = ["--data-dir", "D", "--out-dir", "O", "--cache-dir", "C"]
    events = ["--validation", "0.2", "--split-by", "number"]
    assert parse(["train", *switches, *folders, *events]) == {
        "command": "train",
        "validation": 0.2,
        "split_by": "number",
        "cache_dir": "C",
        "steps": 8,
        "batch_size": 32,
        "workers": 2,
        "amp": True,
        "baseline": False,
        "data_dir": "D",
        "out_dir": "O",
        "tau": 3.0,
    }


def test_error_is_one_line_without_usage(capsys):
    with pytest.raises(SystemExit) as stop:
        parse(["train", "--neuron", "lof"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("spikeframe train: error: argument --neuron: invalid choice: 'lof'")
    assert error.endswith("(see spikeframe train --help)\n")
    assert error.count("\n") == 1

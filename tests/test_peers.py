"""The figure of whole networks is drawn from the committed table, whose rows are worth keeping."""

import csv
import importlib
import sys
import zlib

import pytest
import torch
from house.sources import ROOT

TABLE = ROOT / "benchmarks" / "peers.csv"
PICTURE = ROOT / "docs" / "peers.png"


@pytest.fixture
def script(monkeypatch):
    """benchmarks/peers.py as a module; what it imports from its folder is forgotten again."""
    folder, before, threads = ROOT / "benchmarks", set(sys.modules), torch.get_num_threads()
    monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module("peers")
    torch.set_num_threads(threads)
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("peers", "measured", "networks"):
            del sys.modules[name]


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def row_of(script, **values):
    plain = dict.fromkeys(script.COLUMNS, "")
    plain |= {"workload": "b: conv net", "threads": 1, "load": "0.5", "date": "2026-01-01"}
    plain |= {"machine": "m", "contender": "spikeframe", "input": "repeated", "pass": "training"}
    plain |= {"ms": "1.1", "ms_20": "1.0", "ms_80": "1.2", "times_best_peer": "2.00"}
    return plain | values


def test_picture_is_drawn_from_the_table():
    image = pytest.importorskip("PIL.Image")
    with image.open(PICTURE) as picture:
        source = picture.info["Source"]
    checksum = zlib.crc32(TABLE.read_bytes())
    assert source == f"peers.csv {checksum:08x}", (
        "the table has other rows than the picture: benchmarks/peers.py --plot docs/peers.png"
    )


def test_readme_shows_the_picture():
    assert "(docs/peers.png)" in (ROOT / "README.md").read_text()


def test_rows_of_a_workload_are_of_one_run():
    places = {}
    for row in read(TABLE):
        key = row["workload"], row["machine"], row["device"], row["threads"]
        places.setdefault(key, set()).add((row["date"], row["commit"], row["load"]))
        assert float(row["peak_mib"]) >= 0
    assert {len(runs) for runs in places.values()} == {1}


def test_bars_are_the_best_of_the_newest_place(script, tmp_path):
    table = tmp_path / "t.csv"
    rows = [
        row_of(script, times_best_peer="9.00", machine="older"),
        row_of(script, date="2026-01-02"),
        row_of(script, contender="spikeframe, channels last", times_best_peer="2.50"),
        row_of(script, input="expanded", times_best_peer="4.00"),
        row_of(script, contender="norse", times_best_peer="0.50"),
        row_of(script, contender="norse", times_best_peer="1.00", **{"pass": "inference"}),
    ]
    script.append(rows, table, script.COLUMNS)
    assert sys.modules["measured.networks_plot"].bars(table) == {
        ("b: conv net", "training"): {
            "spikeframe": 2.5,
            "spikeframe, static input expanded": 4.0,
            "norse": 0.5,
        },
        ("b: conv net", "inference"): {"norse": 1.0},
    }


def test_rows_take_the_place_of_older_ones(script, tmp_path):
    table = tmp_path / "t.csv"
    script.keep([row_of(script), row_of(script, machine="n")], table)
    script.keep([row_of(script, workload="a: MLP, static")], table)
    script.keep([row_of(script, ms="2.0"), row_of(script, contender="norse")], table)
    found = [(r["workload"], r["machine"], r["contender"], r["ms"]) for r in read(table)]
    assert found == [
        ("a: MLP, static", "m", "spikeframe", "1.1"),
        ("b: conv net", "n", "spikeframe", "1.1"),
        ("b: conv net", "m", "spikeframe", "2.0"),
        ("b: conv net", "m", "norse", "1.1"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("values", "waited", "reason"),
    [
        ({}, 0, None),
        ({"ms_80": "1.7"}, 0, "took 1.70 times as long as the fastest"),
        ({"load": "1.9"}, 0, "the machine had a load of 1.9"),
        ({"load": "1.9", "threads": 2}, 0, None),
        ({}, 100, None),
        ({}, 101, "101 page faults waited for a disk"),
        ({"times_best_peer": ""}, 0, "no peer took part"),
    ],
)
def test_rows_of_a_busy_machine_are_refused(script, values, waited, reason):
    found = script.why_not_kept([row_of(script, **values)], waited, script.MOST_LOAD)
    assert found is None if reason is None else reason in found


def test_script_measures_and_keeps_nothing_without_peers(script, monkeypatch, tmp_path, capsys):
    words = ("--workloads", "f: streaming", "--kits", "spikeframe", "--rounds", "2")
    out = ("--device", "cpu", "--out", str(tmp_path / "t.csv"))
    monkeypatch.setattr(sys, "argv", ["peers.py", *words, *out])
    script.main()
    printed = capsys.readouterr().out
    assert "f: streaming, 1 thread(s), load " in printed
    assert "not kept: " in printed
    assert list(tmp_path.iterdir()) == []


def test_script_tells_profiles(script, monkeypatch, capsys):
    words = ("--workloads", "a: MLP, static", "--rounds", "1", "--profile", "--device", "cpu")
    monkeypatch.setattr(sys, "argv", ["peers.py", *words])
    script.main()
    printed = capsys.readouterr().out
    assert "a: MLP, static: spikeframe, expanded" in printed
    assert printed.count("shares: neuron ") == 4

"""docs/tasks.md says what benchmarks/tasks.csv holds, and the rows are as good as asked for."""

import csv
import statistics

import pytest
from house.sources import ROOT

LEAST = {
    ("delayed xor", "RLeaky, dense"): 1.0,
    ("delayed xor", "RLeaky, one to one"): 1.0,
    ("delayed xor", "RSynaptic, dense"): 1.0,
    ("delayed xor", "RecurrentLIFNode, dense"): 1.0,
    ("randman", "Synaptic"): 0.90,
    ("randman", "SynapseFilter, LIFNode"): 0.96,
    ("pixels", "PSN"): 0.94,
}
# What a network without the memory can do.
MOST = {
    ("delayed xor", "LIFNode"): 0.55,
    ("delayed xor", "Leaky"): 0.55,
    ("randman", "LIFNode"): 0.7,
    ("pixels", "LIFNode"): 0.4,
}


def found():
    accuracies = {}
    with open(ROOT / "benchmarks" / "tasks.csv", newline="") as file:
        for row in csv.DictReader(file):
            key = row["task"], row["network"]
            assert len(accuracies.setdefault(key, [])) == int(row["seed"])
            accuracies[key].append(float(row["test_accuracy"]))
    return accuracies


def test_every_network_has_three_seeds():
    assert found().keys() == LEAST.keys() | MOST.keys()
    assert {len(values) for values in found().values()} == {3}


@pytest.mark.parametrize("key", LEAST | MOST, ids=" ".join)
def test_memory_decides(key):
    mean = statistics.mean(found()[key])
    assert LEAST.get(key, 0.0) <= mean <= MOST.get(key, 1.0)


def test_the_page_says_so():
    page = (ROOT / "docs" / "tasks.md").read_text()
    for (task, network), values in found().items():
        shown = ", ".join(f"{value:.3f}" for value in values)
        row = f"| {task} | {network} | {statistics.mean(values):.3f} | {shown} |"
        assert row in page

"""The numbers of a profile and its tables."""

import pytest
from torch import nn

from spikeframe import layer, monitor, neuron
from spikeframe.monitor.layers import is_one, kind_of

MIB = 2**20


def profile_of(**changes):
    rows = (
        monitor.LayerProfile(
            "a", "Linear", "product", "", 1, 0.003, 0.005, MIB, MIB, 0, 4_000_000
        ),
        monitor.LayerProfile(
            "long.b", "LIFNode", "neuron", "cpp", 2, 0.001, 0.0, MIB, MIB, 2 * MIB, 0
        ),
    )
    values = {
        "layers": rows,
        "outside": 0.001,
        "watching": 0.002,
        "step": 0.0095,
        "copy": 8 * MIB / 1e-3,
        "product": 1e9,
        "peak": 3 * MIB,
        "backward": True,
        "runs": 5,
        "clock": "CPU time",
    }
    return monitor.NetProfile(**values | changes)


def test_shares_and_limits():
    found = profile_of()
    a, b = found.layers
    assert found.seconds == pytest.approx(0.01)
    assert (found.share(a), found.share(b)) == pytest.approx((0.8, 0.1))
    assert found.groups() == pytest.approx({"neuron": 0.1, "product": 0.8, "outside": 0.1})
    # 4 MiB take 0.5 ms, the operations 4 ms of 8; 8 MiB take 1 ms of 1.
    assert (found.moved(a), found.moved(b)) == (4 * MIB, 8 * MIB)
    assert (found.of_limit(a), found.of_limit(b)) == pytest.approx((0.5, 1.0))
    assert profile_of(backward=False).moved(b) == 2 * MIB


def test_table_is_for_people():
    lines = str(profile_of()).splitlines()
    head = lines[0].split("  ")
    assert head[0] == "module"
    assert lines[1].split() == [
        *("a", "Linear", "1", "3.00", "5.00", "80.0%", "2.00", "0.00", "0.5", "0.5", "50%")
    ]
    assert lines[2].split() == [
        *("long.b", "LIFNode", "cpp", "2", "1.00", "0.00", "10.0%", "2.00", "2.00", "8.4", "100%")
    ]
    assert lines[3].split() == ["outside", "of", "layers", "1.00", "10.0%"]
    assert lines[5:] == [
        "forward and backward: 9.50 ms a step, at most 3.00 MiB at a time, "
        "2.00 MiB saved for the backward",
        "watched: 10.00 ms, and 2.00 ms to watch",
        "shares: neuron 10.0%, product 80.0%, outside 10.0%",
        "limits: copy 8.4 GB/s, product 1 GFLOP/s",
        "CPU time, medians of 5 runs",
    ]
    alone = str(profile_of(backward=False, peak=None, runs=1))
    assert "\nforward: 9.50 ms a step\n" in alone
    assert alone.endswith("medians of 1 run")


def test_rows_are_for_tables():
    rows = profile_of().rows()
    assert len({tuple(row) for row in rows}) == 1
    assert rows[0]["forward_ms"] == "3.0000"
    assert rows[1]["gb_s"] == "8.389"
    assert (rows[2]["module"], rows[2]["share"]) == ("outside of layers", "0.1000")


class Compiled(nn.Module):
    def __init__(self):
        super().__init__()
        self._orig_mod = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("module", "group"),
    [
        (nn.GroupNorm(2, 4), "norm"),
        (layer.BatchNorm2d(4), "norm"),
        (layer.NeuNorm(4, 2, 2), "norm"),
        (layer.AvgPool2d(2), "pooling"),
        (nn.AdaptiveAvgPool2d(1), "pooling"),
        (neuron.Leaky(0.5), "neuron"),
        (layer.Flatten(), "other"),
        (nn.Identity(), "other"),
        (layer.Linear(2, 2), "product"),
        (nn.Conv1d(2, 2, 1), "product"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_groups_go_by_the_kind(module, group):
    assert kind_of(module, 0) == group


def test_a_product_is_what_multiplies():
    assert kind_of(nn.Linear(2, 2), 8) == "product"
    assert kind_of(neuron.LIFNode(), 8) == "neuron"


def test_what_runs_as_one_is_not_looked_into():
    assert is_one(neuron.LIFNode())
    assert is_one(Compiled())
    assert not is_one(nn.Sequential())

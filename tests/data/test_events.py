import numpy as np
import pytest

from spikeframe.data import EVENT_DTYPE, as_events, make_events
from spikeframe.data.events import check_order, check_sensor

FIELDS = {"t": [0, 5, 5, 2**40], "x": [0, 65535, 2, 3], "y": [4, 5, 6, 0], "p": [0, 1, 1, 0]}


def test_make_events_keeps_every_field():
    events = make_events(**FIELDS)
    assert events.dtype == EVENT_DTYPE
    assert {name: events[name].tolist() for name in FIELDS} == FIELDS


def test_events_are_sixteen_bytes_as_the_counter_reads_them():
    offsets = {name: EVENT_DTYPE.fields[name][1] for name in EVENT_DTYPE.names}
    assert (EVENT_DTYPE.itemsize, offsets) == (16, {"t": 0, "x": 8, "y": 10, "p": 12})


def test_an_ear_has_one_row_and_one_polarity():
    events = make_events([1, 2], [699, 0])
    assert events["y"].tolist() == events["p"].tolist() == [0, 0]


@pytest.mark.parametrize("p", [[0, 1, 1, 0], [-1, 1, 1, -1], [False, True, True, False]])
def test_polarities_have_three_spellings(p):
    assert make_events(FIELDS["t"], FIELDS["x"], p=np.array(p))["p"].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("empty", [[], np.zeros(0), np.zeros(0, np.uint8)])
def test_no_events_are_events(empty):
    assert len(make_events(empty, empty, empty, empty)) == 0


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"t": [0.0, 0.1, 0.2, 0.3]}, TypeError, "t must hold whole numbers, got float64: .*1e6"),
        ({"x": ["a"] * 4}, TypeError, "x must hold whole numbers"),
        ({"t": [0, 5, 4, 9]}, ValueError, "order of time, got t=4 after t=5 at event 2: sort"),
        ({"x": [0, 1]}, ValueError, r"x must be \[4\], one for each time, got \[2\]"),
        ({"t": [[0, 1]]}, ValueError, r"t must be \[n\], got \[1, 2\]"),
        ({"x": [0, 1, 2, 65536]}, ValueError, r"x must be within 0..65535, got 0 to 65536"),
        ({"y": [0, -1, 2, 3]}, ValueError, r"y must be within 0..65535, got -1 to 3"),
        ({"p": [0, 1, 2, 1]}, ValueError, "p must be 0 and 1, or -1 and 1, got 0 to 2"),
        ({"p": [0, 1, -1, 1]}, ValueError, "got -1, 0 and 1 together"),
    ],
)
def test_wrong_fields_are_refused(change, error, text):
    with pytest.raises(error, match=text):
        make_events(**FIELDS | change)


@pytest.mark.parametrize("order", ["txyp", "xytp", "pyxt"])
@pytest.mark.parametrize("kinds", [("i8", "i2", "i2", "?"), ("u8", "u2", "u2", "i8")])
def test_as_events_reads_structured_arrays(order, kinds):
    types = dict(zip("txyp", kinds, strict=True))
    source = np.zeros(4, [(name, types[name]) for name in order])
    for name, values in FIELDS.items():
        source[name] = np.minimum(values, 2**15 - 1) if name == "x" else values
    events = as_events(source)
    assert events.dtype == EVENT_DTYPE
    for name in order:
        assert events[name].tolist() == source[name].tolist()


def test_as_events_reads_mappings_and_npz_files(tmp_path):
    np.savez(tmp_path / "a.npz", **FIELDS)
    expected = make_events(**FIELDS)
    assert np.array_equal(as_events(FIELDS), expected)
    with np.load(tmp_path / "a.npz") as file:
        assert np.array_equal(as_events(file), expected)


def test_as_events_returns_its_own_kind_as_it_is():
    events = make_events(**FIELDS)
    assert as_events(events) is events


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (np.zeros((3, 4)), "an array of float64"),
        (np.zeros(3, [("t", int), ("y", int)]), "an array of"),
        ({"t": [1]}, "dict"),
        ([(1, 2, 3, 0)], "list"),
        (None, "NoneType"),
    ],
)
def test_as_events_refuses_what_has_no_fields(source, kind):
    match = f"events must be a structured array or a mapping .*, got {kind}"
    with pytest.raises(TypeError, match=match):
        as_events(source)


def test_check_order_names_the_first_step_back():
    events = make_events([1, 2, 3, 4], [0] * 4)
    check_order(events)
    check_order(events[:0])
    events["t"] = [1, 3, 2, 1]
    with pytest.raises(ValueError, match="got t=2 after t=3 at event 2"):
        check_order(events)


def test_check_sensor_returns_plain_numbers():
    assert check_sensor([2, np.int64(34), 34]) == (2, 34, 34)


@pytest.mark.parametrize(
    "sensor", [(34, 34), (3, 34, 34), (0, 34, 34), (2, 0, 34), (2, 34.0, 34), (True, 34, 34)]
)
def test_check_sensor_refuses_other_shapes(sensor):
    with pytest.raises(ValueError, match=r"sensor must be \(polarities, height, width\)"):
        check_sensor(sensor)

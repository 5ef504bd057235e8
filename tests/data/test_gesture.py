import numpy as np
import pytest
from event_files import write_gesture, write_npz
from recordings import content

from spikeframe.data import DataError, load_dvs_gesture
from spikeframe.data import gesture as module

PEOPLE = ["user01_led", "user02_led"]


def windows(events):
    """The 11 gestures of a person as their labels cut them."""
    for i in range(11):
        start = 5_000_000 + i * 100_000
        inside = (events["t"] >= start) & (events["t"] < start + 100_000 - 7)
        yield events[inside]


def check(split, written):
    for data, people in ((split.train, PEOPLE), (split.test, ["user03_led"])):
        expected = [part for name in people for part in windows(written[name])]
        found = {(label, content(events)) for events, label in data}
        assert found == {(i % 11, content(part)) for i, part in enumerate(expected)}
        assert len(data) == len(expected)
        assert data.sensor == (2, 128, 128)


@pytest.mark.parametrize("folder", [".", "DvsGesture", "extract/DvsGesture"])
def test_load_reads_the_published_files(tmp_path, folder):
    written = write_gesture(tmp_path / folder)
    check(load_dvs_gesture(tmp_path), written)


def test_a_persons_file_is_read_once_in_order(tmp_path, monkeypatch):
    write_gesture(tmp_path)
    read, original = [], module.read_aedat31
    monkeypatch.setattr(module, "read_aedat31", lambda p: read.append(p.stem) or original(p))
    for _ in load_dvs_gesture(tmp_path).train:
        pass
    assert read == PEOPLE


def test_load_reads_spikingjellys_files(tmp_path):
    written = write_gesture(tmp_path / "source")
    for part, people in (("train", PEOPLE), ("test", ["user03_led"])):
        for name in people:
            for label, events in enumerate(windows(written[name])):
                write_npz(tmp_path / "events_np" / part / str(label) / f"{name}_0.npz", events)
    check(load_dvs_gesture(tmp_path), written)


def test_load_reads_tonics_files(tmp_path):
    written = write_gesture(tmp_path / "source")
    for part, people in (("Train", PEOPLE), ("Test", ["user03_led"])):
        for name in people:
            folder = tmp_path / "DVSGesture" / f"ibmGesture{part}" / name
            folder.mkdir(parents=True)
            for label, events in enumerate(windows(written[name])):
                columns = [events["x"], events["y"], events["p"], events["t"] / 1000]
                np.save(folder / f"{label}.npy", np.stack(columns, axis=1))
    check(load_dvs_gesture(tmp_path), written)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load_dvs_gesture(tmp_path)
    for part in ("trials_to_train.txt, trials_to_test.txt in", "ibmGestureTrain/", "research.ibm"):
        assert part in str(caught.value)
    write_gesture(tmp_path)
    (tmp_path / "user02_led.aedat").unlink()
    match = rf"{tmp_path}/user02_led.aedat is not there, which {tmp_path}/trials_to_train.txt asks"
    with pytest.raises(FileNotFoundError, match=match):
        load_dvs_gesture(tmp_path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "at line 1, expected 'class,startTime_usec,endTime_usec', found ''"),
        ("class,start,end\n", "at line 1, expected 'class,startTime_usec"),
        ("{h}\n1,2\n", "at its lines, expected three whole numbers each"),
        ("{h}\n1,2,3\n1,2\n", "at its lines, expected three whole numbers each"),
        ("{h}\n1,2,x\n", "at its lines, expected three whole numbers each"),
        ("{h}\n1,2,3\n12,3,4\n", "at line 3, expected a class from 1 to 11, found 12"),
        ("{h}\n0,2,3\n", "at line 2, expected a class from 1 to 11, found 0"),
    ],
)
def test_damaged_labels_are_named(tmp_path, content, text):
    write_gesture(tmp_path)
    table = tmp_path / "user01_led_labels.csv"
    table.write_text(content.format(h="class,startTime_usec,endTime_usec"))
    with pytest.raises(DataError, match=f"{table} is damaged: {text}"):
        load_dvs_gesture(tmp_path)


def test_lists_without_names_are_named(tmp_path):
    write_gesture(tmp_path)
    (tmp_path / "trials_to_test.txt").write_text("\n")
    with pytest.raises(DataError, match="trials_to_test.txt is damaged: .* names of .aedat files"):
        load_dvs_gesture(tmp_path)


def test_tonic_labels_are_checked(tmp_path):
    for part in ("Train", "Test"):
        (tmp_path / f"ibmGesture{part}" / "user01").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"ibmGestureTrain holds no recording \(.npy\)"):
        load_dvs_gesture(tmp_path)
    np.save(tmp_path / "ibmGestureTrain" / "user01" / "11.npy", np.zeros((2, 4)))
    with pytest.raises(DataError, match=r"user01/11.npy, expected a label from 0 to 10, found 11"):
        load_dvs_gesture(tmp_path)

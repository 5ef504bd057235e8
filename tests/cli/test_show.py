import io
import sys

import numpy as np
import pytest
from event_files import aedat31_bytes, atis_bytes, write_cifar10_dvs, write_heidelberg
from recordings import recording

Image = pytest.importorskip("PIL.Image")


def opened(path):
    return Image.open(io.BytesIO(path.read_bytes()))


@pytest.fixture
def clip(tmp_path):
    (tmp_path / "clip.bin").write_bytes(atis_bytes(recording(500, (2, 34, 34), span=300_000)))
    return "clip.bin"


def test_file_becomes_a_sheet(run, tmp_path, clip):
    result = run("show", clip)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("clip.bin: 500 events in 0.3 s, ")
    assert result.out.endswith("% brighter, shown in 16 frames\nclip.bin.png\n")
    picture = opened(tmp_path / "clip.bin.png")
    assert picture.size == ((8 * 36 - 2) * 3, (2 * 36 - 2) * 3)


def test_file_becomes_a_moving_picture_in_its_own_time(run, tmp_path):
    path = tmp_path / "user01_led.aedat"
    path.write_bytes(aedat31_bytes(recording(900, (2, 128, 128), span=2_000_000)))
    assert run("show", path.name, "-T", "10", "--out", "a.gif").code == 0
    picture = opened(tmp_path / "a.gif")
    assert (picture.n_frames, picture.info["duration"]) == (10, 200)


def test_sensor_of_a_file_may_be_given(run, tmp_path, clip):
    assert run("show", clip, "-T", "1", "--sensor", "40", "50").code == 0
    width, height = opened(tmp_path / "clip.bin.png").size
    assert width / height == 50 / 40


def test_embedded_set_is_shown(run, tmp_path):
    result = run("show", "event-digits", "--index", "3", "--out", "three.gif")
    assert result.code == 0
    assert result.out.startswith("event-digits, test sample 3: ")
    assert opened(tmp_path / "three.gif").n_frames == 16


def test_set_in_a_folder_is_shown(run, tmp_path):
    write_cifar10_dvs(tmp_path / "dvs", per_class=10)
    result = run("show", "cifar10-dvs", "--data-dir", "dvs", "-T", "2")
    assert result.code == 0
    assert "test sample 0: airplane: 60 events" in result.out
    assert (tmp_path / "cifar10-dvs-0.png").exists()


def test_an_ear_becomes_a_raster(run, tmp_path):
    pytest.importorskip("h5py")
    for part, n in {"train": 40, "test": 20}.items():
        write_heidelberg(tmp_path / "shd" / f"shd_{part}.h5", n)
    # The data set, although a folder has its name.
    assert run("show", "shd", "--data-dir", "shd", "--index", "2").code == 0
    assert opened(tmp_path / "shd-2.png").size == (1200, 750)
    result = run("show", "shd", "--data-dir", "shd", "--out", "a.gif")
    assert result.code == 2
    assert "--out must end with .png or .gif, got a.gif: a raster is a .png" in result.err


def test_images_become_a_sheet(run, tmp_path):
    assert run("show", "digits", "--index", "100").code == 0
    assert opened(tmp_path / "digits-100.png").width > 60


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["nothing"], "nothing is neither a file nor a data set: name a file of events, or one"),
        (["folder"], "folder is a folder: name a file of events, or one of digits, mnist, fashi"),
        (["clip.bin", "--out", "a.jpg"], "--out must end with .png or .gif, got a.jpg"),
        (["digits", "--out", "a.gif"], "got a.gif: a sheet of images is a .png"),
        (["clip.bin", "-T", "0"], "-T must be at least 1 and --index at least 0, got 0, 0"),
        (["event-digits", "--index", "360"], "--index must be less than 360, got 360"),
        (["digits", "--index", "400"], "--index 400 is behind the last image of digits"),
        (["n-mnist"], "--data-dir) was not given"),
        (["clip.bin", "--sensor", "5", "5"], "lies off the sensor"),
        (["empty.bin"], "empty.bin has no events"),
        (["cut.bin"], "cut.bin is damaged: at byte 5"),
        (["notes.txt"], "notes.txt is not a recording that is read here"),
        (["clip.bin", "--out", "no/a.png"], "cannot write no/a.png"),
    ],
)
def test_what_is_wrong_is_one_line(run, tmp_path, clip, words, part):
    (tmp_path / "empty.bin").write_bytes(b"")
    (tmp_path / "cut.bin").write_bytes(b"1234567")
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    result = run("show", *words)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert result.err.startswith("spikeframe show: error: ")
    assert part in result.err
    assert sorted(tmp_path.iterdir()) == before


def test_missing_package_is_one_line(run, monkeypatch, clip):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    result = run("show", clip)
    assert result.code == 2
    assert "Pillow is needed to draw" in result.err
    assert "pip install 'spikeframe[train]'" in result.err


def test_interrupt_is_one_line(run, monkeypatch, clip):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("spikeframe.cli.show.read_events", stop)
    result = run("show", clip)
    assert (result.code, result.err) == (130, "spikeframe show: interrupted\n")


def test_file_with_a_sets_name_is_the_file(run, tmp_path):
    np.save(tmp_path / "shd.npy", recording(50, (2, 5, 5)))
    (tmp_path / "shd.npy").rename(tmp_path / "shd")
    result = run("show", "shd")
    assert result.code == 2
    assert "shd is not a recording that is read here" in result.err

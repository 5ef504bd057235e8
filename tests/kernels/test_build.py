"""Building and keeping libraries: whatever the machine is like, no run is lost."""

import ctypes
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from spikeframe.kernels import build

SOURCE = 'extern "C" int answer() { return 42; }\n'


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    """A cache of its own, and nothing remembered from other tests."""
    monkeypatch.setenv("SPIKEFRAME_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(build, "LOADED", {})


def _script(path: Path, text: str) -> str:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o700)
    return str(path)


def _counting(tmp_path: Path) -> str:
    """A compiler that notes each of its runs in the file ``runs``."""
    runs = tmp_path / "runs"
    runs.touch()
    return _script(tmp_path / "counting", f'echo "$@" >> {runs}\nexec g++ "$@"\n')


def _runs(tmp_path: Path) -> int:
    lines = (tmp_path / "runs").read_text().splitlines()
    return sum("--version" not in line for line in lines)


def _forget() -> None:
    build.LOADED.clear()


def _kept() -> list[Path]:
    return list(build.cache_folder().iterdir())


def test_a_library_is_built_once_and_kept_for_the_user_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", _counting(tmp_path))
    assert build.load(SOURCE).answer() == 42
    assert build.load(SOURCE).answer() == 42
    _forget()
    assert build.load(SOURCE).answer() == 42
    assert _runs(tmp_path) == 1
    assert stat.S_IMODE(build.cache_folder().stat().st_mode) == 0o700
    assert [path.suffix for path in _kept()] == [".so"]


def test_a_compiler_may_have_arguments(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "env A=1 g++")
    assert build.compiler()[1:] == ("A=1", "g++")
    assert build.load(SOURCE).answer() == 42


def test_other_compilers_flags_and_processors_have_their_own_library(monkeypatch):
    keys = {build.cache_key(SOURCE), build.cache_key(SOURCE + " ")}
    monkeypatch.setenv("CXX", "env g++")
    keys.add(build.cache_key(SOURCE))
    monkeypatch.setattr(build, "compiler_version", lambda command: "g++ 99")
    keys.add(build.cache_key(SOURCE))
    monkeypatch.setattr(build, "_processor", lambda: ("x86_64", "flags: sse2"))
    keys.add(build.cache_key(SOURCE))
    monkeypatch.setattr(build, "FLAGS", ("-O1",))
    keys.add(build.cache_key(SOURCE))
    assert len(keys) == 6


@pytest.mark.parametrize("damage", [lambda data: data[:4096], lambda data: b"", lambda d: d[:-1]])
def test_a_damaged_library_is_built_again(tmp_path, monkeypatch, damage):
    """Loading a truncated library would end the process with SIGBUS."""
    monkeypatch.setenv("CXX", _counting(tmp_path))
    build.load(SOURCE)
    (path,) = _kept()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    _forget()
    assert build.load(SOURCE).answer() == 42
    assert _runs(tmp_path) == 2
    (path,) = _kept()
    assert len(path.read_bytes()) == len(whole)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 1", "failed with code 1: no message"),
        ("echo broken >&2; exit 3", "failed with code 3: broken"),
        ("echo garbage", "wrote no library"),
        ("kill -KILL $$", "was killed by SIGKILL"),
        ('for last; do :; done; echo garbage > "$last"', "built does not load"),
    ],
)
def test_a_broken_compiler_is_a_reason_and_is_not_asked_again(
    tmp_path, monkeypatch, script, reason
):
    runs = tmp_path / "runs"
    runs.touch()
    text = f'case "$*" in *--version*) exit 0;; esac\necho run >> {runs}\n{script}\n'
    monkeypatch.setenv("CXX", _script(tmp_path / "broken", text))
    for _ in range(2):
        with pytest.raises(build.BuildError, match=reason):
            build.load(SOURCE)
    assert _runs(tmp_path) == 1
    monkeypatch.delenv("CXX")
    assert build.load(SOURCE).answer() == 42


def test_a_compiler_that_hangs_is_stopped_with_what_it_started(tmp_path, monkeypatch):
    child = tmp_path / "child"
    text = f'case "$*" in *--version*) exit 0;; esac\nsleep 60 & echo $! > {child}\nwait\n'
    monkeypatch.setenv("CXX", _script(tmp_path / "slow", text))
    build.compiler_version(build.compiler())
    monkeypatch.setattr(build, "SECONDS", 0.5)
    with pytest.raises(build.BuildError, match=r"did not finish in 0\.5 seconds"):
        build.load(SOURCE)
    state = Path(f"/proc/{child.read_text().strip()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_no_compiler_is_a_reason(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(build.BuildError, match=r"no C\+\+ compiler 'no-such-compiler': install"):
        build.load(SOURCE)


def test_a_compiler_that_cannot_start_is_a_reason(tmp_path, monkeypatch):
    (tmp_path / "binary").write_bytes(b"\x7fELF")
    (tmp_path / "binary").chmod(0o700)
    monkeypatch.setenv("CXX", str(tmp_path / "binary"))
    with pytest.raises(build.BuildError, match="binary does not run"):
        build.load(SOURCE)


def test_a_cache_that_cannot_be_written_costs_only_the_keeping(tmp_path, monkeypatch):
    """A read-only or full file system; a file in the folder's place fails for root as well."""
    (tmp_path / "cache").write_text("")
    assert build.load(SOURCE).answer() == 42
    monkeypatch.setenv("SPIKEFRAME_CACHE", "/proc/spikeframe")
    _forget()
    assert build.load(SOURCE).answer() == 42


def test_a_full_cache_costs_only_the_keeping(monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build.shutil, "copy", full)
    assert build.load(SOURCE).answer() == 42
    assert _kept() == []


def test_no_room_to_build_in_is_a_reason(monkeypatch):
    monkeypatch.setattr(build.tempfile, "tempdir", "/no/such/folder")
    with pytest.raises(build.BuildError, match="no kernel could be built: .*No such file"):
        build.load(SOURCE)


def test_a_folder_of_somebody_else_is_refused(monkeypatch):
    """Loading a library is running its code."""
    build.load(SOURCE)
    _forget()
    owner = os.getuid()
    monkeypatch.setattr(build.os, "getuid", lambda: owner + 1)
    with pytest.raises(build.BuildError, match="belongs to another user: .*SPIKEFRAME_CACHE"):
        build.load(SOURCE)


def test_a_library_of_somebody_else_is_not_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", _counting(tmp_path))
    build.load(SOURCE)
    (path,) = _kept()
    stat_of = Path.stat

    class Foreign:
        st_uid = os.getuid() + 1

    monkeypatch.setattr(
        Path, "stat", lambda self, **k: Foreign if self == path else stat_of(self, **k)
    )
    _forget()
    assert build.load(SOURCE).answer() == 42
    assert _runs(tmp_path) == 2


def test_processes_that_build_the_same_at_once_all_succeed(tmp_path):
    code = textwrap.dedent(f"""
        import sys
        from spikeframe.kernels import build
        print("ready", flush=True)
        sys.stdin.readline()
        assert build.load({SOURCE!r}).answer() == 42
    """)
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[0] or process.returncode for process in processes] == [0, 0]
    (path,) = _kept()
    assert ctypes.CDLL(str(path)).answer() == 42

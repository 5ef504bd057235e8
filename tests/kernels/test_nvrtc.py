"""CUDA C++ is compiled without a device, and what came of it is kept."""

import os
import stat

import pytest
import torch
from spikeframe.kernels import cuda_build, nvrtc
from spikeframe.kernels.build import BuildError

SOURCE = 'extern "C" __global__ void k(float* x) { x[threadIdx.x] += @; }'


def _has_nvrtc():
    try:
        return nvrtc.version() >= (12, 0)
    except BuildError:
        return False


needs_nvrtc = pytest.mark.skipif(not _has_nvrtc(), reason="no NVRTC")


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEFRAME_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def compiles(monkeypatch):
    """The sources that were compiled."""
    asked, compile_cuda = [], nvrtc.compile_cuda

    def recorded(source, target, options=()):
        asked.append(source)
        return compile_cuda(source, target, options)

    monkeypatch.setattr(nvrtc, "compile_cuda", recorded)
    return asked


@needs_nvrtc
def test_machine_code_or_code_to_come():
    source = SOURCE.replace("@", "1.0f")
    real = nvrtc.compile_cuda(source, "sm_90")
    assert real.binary.startswith(b"\x7fELF")
    assert ".visible .entry k(" in real.ptx
    assert nvrtc.compile_cuda(source, "compute_90").binary.decode() == real.ptx


@needs_nvrtc
def test_what_a_device_is_compiled_for(monkeypatch):
    assert nvrtc.target((9, 0)) == "sm_90"
    monkeypatch.setattr(nvrtc, "architectures", lambda: (80, 90))
    assert nvrtc.target((12, 0)) == "compute_90"
    assert nvrtc.target((8, 6)) == "compute_80"
    with pytest.raises(BuildError, match=r"capability 8.0 and newer, the device has 7.5: install"):
        nvrtc.target((7, 5))


@needs_nvrtc
def test_a_failure_is_told():
    with pytest.raises(BuildError, match=r"NVRTC 1\S+ failed for sm_90: .*identifier \"oops\""):
        nvrtc.compile_cuda(SOURCE.replace("@", "oops"), "sm_90")
    with pytest.raises(BuildError, match=r"failed for sm_1: .*invalid value for --gpu-arch"):
        nvrtc.compile_cuda(SOURCE.replace("@", "1"), "sm_1")


def test_a_machine_without_nvrtc_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(nvrtc, "candidates", lambda: iter(["/no/libnvrtc.so.13"]))
    nvrtc.loaded.cache_clear()
    try:
        with pytest.raises(BuildError, match="no NVRTC.*pip install nvidia-cuda-nvrtc"):
            nvrtc.version()
    finally:
        nvrtc.loaded.cache_clear()


def test_the_version_of_torch_comes_first(monkeypatch):
    for version, first in (("12.8", "libnvrtc.so.12"), ("13.0", "libnvrtc.so.13"), (None, None)):
        monkeypatch.setattr(torch.version, "cuda", version)
        names = [name.rpartition("/")[2] for name in nvrtc.candidates()]
        assert {"libnvrtc.so.12", "libnvrtc.so.13"} == set(names)
        assert names[0] == (first or "libnvrtc.so.13")


@needs_nvrtc
def test_a_kernel_is_compiled_once_per_source_and_device(cache, compiles):
    one, two = SOURCE.replace("@", "1"), SOURCE.replace("@", "2")
    path = cuda_build.binary(one, (9, 0))
    assert path.parent == cache
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert cuda_build.binary(one, (9, 0)) == path
    others = {cuda_build.binary(two, (9, 0)), cuda_build.binary(one, (8, 0)), path}
    assert len(others) == 3
    assert compiles == [one, two, one]
    assert path.read_bytes().startswith(b"\x7fELF")


@needs_nvrtc
def test_a_file_cut_short_is_not_used(cache, compiles):
    source = SOURCE.replace("@", "1")
    path = cuda_build.binary(source, (9, 0))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert cuda_build.binary(source, (9, 0)) == path
    assert path.read_bytes() == whole
    assert len(compiles) == 2


@needs_nvrtc
@pytest.mark.skipif(os.getuid() != 0, reason="needs to give a file away")
def test_a_file_of_another_user_is_not_used(cache, compiles):
    source = SOURCE.replace("@", "1")
    path = cuda_build.binary(source, (9, 0))
    os.chown(path, 12345, -1)
    cuda_build.binary(source, (9, 0))
    assert len(compiles) == 2
    assert path.stat().st_uid == 0
    os.chown(cache, 12345, -1)
    with pytest.raises(BuildError, match="belongs to another user"):
        cuda_build.binary(source, (9, 0))


@needs_nvrtc
def test_without_a_cache_the_process_keeps_its_own(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SPIKEFRAME_CACHE", str(tmp_path / "file"))
    path = cuda_build.binary(SOURCE.replace("@", "1"), (9, 0))
    assert path.read_bytes().startswith(b"\x7fELF")
    assert tmp_path not in path.parents


@needs_nvrtc
def test_two_processes_compile_the_same_at_once(cache, monkeypatch):
    """Another one is done with it just before; both then have the one file."""
    source, compile_cuda, others = SOURCE.replace("@", "1"), nvrtc.compile_cuda, []

    def overtaken(text, target):
        done = compile_cuda(text, target)
        if not others:
            others.append(None)
            others[0] = cuda_build.binary(text, (9, 0))
        return done

    monkeypatch.setattr(nvrtc, "compile_cuda", overtaken)
    path = cuda_build.binary(source, (9, 0))
    assert others == [path]
    assert list(cache.iterdir()) == [path]

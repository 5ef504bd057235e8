"""A driver for Triton that compiles for a device which is not there, and notes what is run."""

import contextlib
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch

__all__ = ["Launched", "StubDriver", "in_place_of_cuda"]


@dataclass
class Launched:
    """One launch: the device and stream that were current, the grid, arguments by name."""

    device: int
    stream: int
    grid: tuple[int, int, int]
    warps: int
    arguments: dict[str, Any]


class StubDriver:
    """Devices of compute capability 9.0, with a stream each.

    Their numbers are none that a machine has: compiled kernels are kept by number.
    """

    def __init__(self):
        self.current, self.launched, self.compiled = 90, [], 0
        self.functions = []
        self.utils = SimpleNamespace(
            load_binary=lambda *arguments: ("module", 1, 32, 0, 1024),
            unload_module=lambda module: None,
            get_device_properties=lambda device: {"max_shared_mem": 2**16},
        )

    def get_current_device(self):
        return self.current

    def get_current_stream(self, device):
        return 100 + device

    def get_current_target(self):
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", 90, 32)

    def launcher_cls(self, source, metadata):
        """What Triton makes once per compiled kernel, to be called at each launch."""
        self.compiled += 1
        self.functions.append(source.fn)

        def launcher(x, y, z, stream, *rest):
            values = rest[-len(source.fn.arg_names) :]
            named = dict(zip(source.fn.arg_names, values, strict=True))
            run = Launched(self.current, stream, (x, y, z), metadata.num_warps, named)
            self.launched.append(run)

        return launcher

    def forget(self):
        """Take what was compiled out of Triton's hands, which would unload it from a device."""
        for function in self.functions:
            for device in [number for number in function.device_caches if number >= 90]:
                for kernel in function.device_caches.pop(device)[0].values():
                    kernel.module = None


@contextlib.contextmanager
def in_place_of_cuda(monkeypatch, tmp_path, processors=132):
    """Let torch.cuda and Triton see the stub's devices."""
    from triton.runtime.driver import driver

    stub = StubDriver()

    @contextlib.contextmanager
    def guard(device):
        before, stub.current = stub.current, getattr(device, "index", device) or 90
        yield
        stub.current = before

    properties = SimpleNamespace(multi_processor_count=processors)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "device", guard)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: stub.current)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(driver, "_active", stub)
    yield stub
    stub.forget()

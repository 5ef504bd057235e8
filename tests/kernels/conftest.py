"""What the engine's tests share."""

import sys
from pathlib import Path

import pytest
import torch
from engines import ENGINES
from spikeframe.kernels.layout import Layout

sys.path.insert(0, str(Path(__file__).parent))

GUARD = 37
POISON = 0xA5


@pytest.fixture(params=ENGINES, ids=str)
def engine(request, monkeypatch):
    """The name of a backend that runs here."""
    request.param.install(monkeypatch)
    return request.param.name


@pytest.fixture
def guard():
    """How many elements lie before and behind a tensor: so few that none of it is aligned."""
    return GUARD


@pytest.fixture
def guarded(monkeypatch, guard):
    """Every tensor for a kernel starts as nan and lies between nan, which must stay."""
    made = []

    def allocate(shape, strides, dtype, device):
        length = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        length = 0 if 0 in shape else length
        poison = torch.nan if dtype.is_floating_point else POISON
        buffer = torch.full((length + 2 * guard,), poison, dtype=dtype, device=device)
        made.append((buffer, length, buffer[:1].clone()))
        return buffer.as_strided(shape, strides, guard)

    def sequence(self, dtype=None, steps=None):
        shape = (self.steps if steps is None else steps, *self.shape)
        return allocate(shape, (self.size, *self.strides), dtype or self.dtype, self.device)

    def step(self):
        return allocate(self.shape, self.strides, self.precision, self.device)

    monkeypatch.setattr(Layout, "sequence", sequence)
    monkeypatch.setattr(Layout, "step", step)
    yield
    assert made, "no kernel ran"
    for buffer, length, poison in made:
        around = torch.cat((buffer[:guard], buffer[guard + length :]))
        assert (around.isnan() | (around == poison)).all()

"""What the neurons' tests share."""

import pytest
from spikeframe.kernels.backend import BACKENDS


@pytest.fixture
def uncompiled(monkeypatch):
    """Without compiled backends: for a few steps of a few neurons, each would cost a second."""
    for name in ("cpp", "triton", "cupy"):
        monkeypatch.delitem(BACKENDS, name, raising=False)

"""What the neurons' tests share."""

import pytest
from spikeframe.kernels.backend import BACKENDS


@pytest.fixture
def uncompiled():
    """Without compiled backends: for a few steps of a few neurons, each would cost a second."""
    kept = dict(BACKENDS)
    for name in ("cpp", "triton", "cupy"):
        BACKENDS.pop(name, None)
    yield
    # All of them anew: their order is the preference of 'auto'.
    BACKENDS.clear()
    BACKENDS.update(kept)

"""Two processes train as one does."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from distributed_worker import WORLD, batch, build, train
from torch import distributed

pytestmark = pytest.mark.skipif(
    not distributed.is_available() or not distributed.is_gloo_available(),
    reason="torch was built without gloo",
)

SECONDS = 120


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Gradients and parameters by way, of rank 0."""
    folder = tmp_path_factory.mktemp("distributed")
    script = Path(__file__).with_name("distributed_worker.py")
    ranks = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(folder)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(WORLD)
    ]
    try:
        errors = [rank.communicate(timeout=SECONDS)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0] * WORLD, "\n".join(errors)
    return {name: torch.load(folder / f"{name}.pt") for name in ("ddp", "fsdp")}


@pytest.mark.parametrize("way", ["ddp", "fsdp"])
def test_two_processes_train_as_one(trained, way):
    """Gradients of two steps, and the parameters after them."""
    expected = train(build(way), *batch())
    assert all(tensor.abs().sum() > 0 for tensor in expected)
    torch.testing.assert_close(trained[way], expected)

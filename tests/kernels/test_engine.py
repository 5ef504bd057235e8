"""What runs programs, and the table of backends."""

import pytest
import torch
from spikeframe.kernels.backend import NAMES
from spikeframe.kernels.engine import BACKENDS, Engine, new_saved
from spikeframe.kernels.layout import Layout
from spikeframe.kernels.program import Code, Program

PROGRAM = Program(1, 0, 0, Code((), ()), 1, ("value", "bit", "value"))


def test_the_fastest_is_first_and_the_definition_last():
    assert list(BACKENDS) == ["triton", "cupy", "cpp", "torch", "eager"]
    assert set(NAMES) == {"auto", *BACKENDS}
    assert [name for name, row in BACKENDS.items() if row.engine is None] == ["eager"]
    assert all(row.name == name for name, row in BACKENDS.items())


@pytest.mark.parametrize("steps", [1, 8, 9, 16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_saved_values_are_in_the_inputs_dtype_and_bits_are_bits(steps, dtype):
    layout = Layout(torch.empty(steps, 3, 5, dtype=dtype))
    value, bit, other = new_saved(PROGRAM, layout)
    assert (value.shape, value.dtype) == ((steps, 3, 5), dtype)
    assert (bit.shape, bit.dtype) == ((-(-steps // 8), 3, 5), torch.uint8)
    assert value.data_ptr() != other.data_ptr()
    assert value.stride() == other.stride() == (15, 5, 1)


def test_an_engine_with_nothing_to_build_is_ready():
    engine = Engine(None, None, None)
    assert engine.prepare(PROGRAM, torch.float32, [1.0]) is None
    assert engine.new_saved is new_saved

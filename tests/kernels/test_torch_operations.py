"""Torch's function for every operation."""

import pytest
import torch
from spikeframe.kernels.expression import OPERATIONS
from spikeframe.kernels.torch_operations import function, is_boolean
from straight_line import WRITTEN

A = torch.tensor([-1.5, -0.0, 0.0, 0.5, 1.0, torch.inf, torch.nan], dtype=torch.float64)
B = torch.tensor([2.0, 1.0, 0.0, 0.5, -1.0, 3.0, 1.0], dtype=torch.float64)
ADDED = ("addcmul", "addcmul-", "addcdiv", "addcdiv-", "copy")


@pytest.mark.parametrize("op", sorted({*OPERATIONS, *ADDED} - {"detach", "spike"}))
def test_it_writes_the_result_where_it_is_told(op):
    arity = OPERATIONS[op].arity if op in OPERATIONS else {"copy": 1}.get(op, 3)
    operands = [A, B, A.abs() + 1.0][:arity]
    if op in ("and", "or", "not", "float"):
        operands = [operand > 0 for operand in operands]
    if op == "where":
        operands = [A > 0, A, B]
    written = WRITTEN[op] if op in WRITTEN else getattr(torch, op)
    expected = written(*operands)
    out = torch.empty_like(A, dtype=torch.bool if is_boolean(op) else torch.float64)
    function(op)(*operands, out=out)
    assert is_boolean(op) == (expected.dtype == torch.bool)
    torch.testing.assert_close(out, expected.to(out.dtype), rtol=1e-15, atol=0, equal_nan=True)


def test_an_unknown_operation_is_an_error():
    with pytest.raises(KeyError):
        function("matmul")

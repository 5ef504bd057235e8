"""Products with a sparse left side: what they give, whatever the sizes, densities and threads."""

import pytest
import torch
from spikeframe.kernels import cpp, event_product
from spikeframe.kernels.event_product import density, most_dense, times, transposed_times
from spikeframe.kernels.threads import threads

pytestmark = pytest.mark.skipif(
    cpp.why_not(torch.device("cpu")) is not None, reason="needs a C++ compiler"
)
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
# Below and above blocks, spans, tiles and vectors; columns that leave every kind of rest.
each_size = pytest.mark.parametrize(
    ("rows", "inner", "columns"),
    [(1, 1, 1), (1, 1000, 63), (3, 63, 1000), (130, 1, 15), (600, 1100, 137), (1100, 70, 31)],
)


def sparse(rows, inner, share, dtype=torch.float32):
    """Graded spikes of both signs."""
    return torch.randn(rows, inner, dtype=dtype) * (torch.rand(rows, inner) < share)


def close(found, expected):
    tolerance = 1e-12 if found.dtype == torch.float64 else 1e-5
    scale = expected.abs().max().clamp(min=1)
    assert (found.double() - expected).abs().max() <= tolerance * scale


@each_dtype
@each_size
@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 1.0])
def test_products_are_those_of_float64(rows, inner, columns, share, dtype):
    x = sparse(rows, inner, share, dtype)
    right, bias = torch.randn(inner, columns, dtype=dtype), torch.randn(columns, dtype=dtype)
    grad = torch.randn(rows, columns, dtype=dtype)
    exact = x.double() @ right.double()
    close(times(x, right, most=1.0), exact)
    close(times(x, right, bias, most=1.0), exact + bias.double())
    close(transposed_times(x, grad, most=1.0), x.double().t() @ grad.double())


def test_products_of_integers_are_exact():
    x = torch.randint(-1, 2, (700, 300)).float()
    right, grad = torch.randint(-9, 9, (300, 77)).float(), torch.randint(-9, 9, (700, 77)).float()
    assert torch.equal(times(x, right, most=1.0), x @ right)
    assert torch.equal(transposed_times(x, grad, most=1.0), x.t() @ grad)


def test_silent_and_full_rows_and_columns():
    x = torch.zeros(300, 200)
    x[7], x[:, 11] = 2.0, -1.0
    right, grad = torch.randn(200, 130), torch.randn(300, 130)
    close(times(x, right, most=1.0), x.double() @ right.double())
    found = transposed_times(x, grad, most=1.0)
    close(found, x.double().t() @ grad.double())
    silent = times(torch.zeros(300, 200), right, most=1.0)
    assert torch.equal(silent, torch.zeros(300, 130))


@pytest.mark.parametrize("count", [2, 3, 7])
def test_threads_give_equal_bits(count, monkeypatch):
    x, right, bias = sparse(1300, 1100, 0.05), torch.randn(1100, 150), torch.randn(150)
    grad = torch.randn(1300, 150)
    monkeypatch.setattr(event_product, "threads", lambda most: 1)
    alone = times(x, right, bias, most=1.0), transposed_times(x, grad, most=1.0)
    monkeypatch.setattr(event_product, "threads", lambda most: count)
    shared = times(x, right, bias, most=1.0), transposed_times(x, grad, most=1.0)
    assert all(map(torch.equal, alone, shared))


def test_threads_are_torchs_and_no_more_than_there_is_work():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert [threads(most) for most in (0, 1, 2, 100)] == [1, 1, 2, 3]
    finally:
        torch.set_num_threads(before)


def test_rows_may_be_apart():
    x, right = sparse(200, 90, 0.1)[:, 5:75], torch.randn(70, 99)[:, :64]
    grad = torch.randn(200, 99)[:, 10:74]
    close(times(x, right, most=1.0), x.double() @ right.double())
    close(transposed_times(x, grad, most=1.0), x.double().t() @ grad.double())


def test_what_is_not_a_number_is_selected_and_zeros_select_nothing():
    x = torch.zeros(140, 9)
    x[0, 2], x[1, 3], x[2, 4] = float("nan"), float("inf"), -0.0
    right = torch.ones(9, 20)
    right[4] = float("nan")
    found = times(x, right, most=1.0)
    assert found[0].isnan().all()
    assert found[1].isposinf().all()
    assert torch.equal(found[2:], torch.zeros(138, 20))


def test_subnormal_numbers_are_events():
    x = torch.zeros(130, 40)
    x[5, 6] = 1e-40
    assert times(x, torch.full((40, 3), 1e10), most=1.0)[5, 0] > 0


@each_dtype
def test_dense_ones_are_left_to_torch(dtype):
    x, right = sparse(300, 200, 0.5, dtype), torch.randn(200, 80, dtype=dtype)
    assert times(x, right) is None
    assert transposed_times(x, torch.randn(300, 80, dtype=dtype)) is None
    assert times(x, right, most=0.9) is not None


def test_empty_ones_are_left_to_torch():
    assert times(torch.zeros(0, 3), torch.zeros(3, 5), most=1.0) is None
    assert transposed_times(torch.zeros(4, 0), torch.zeros(4, 5), most=1.0) is None


@pytest.mark.parametrize("is_built", [True, False])
def test_density_is_seen_in_rows_all_over(is_built, monkeypatch):
    if not is_built:
        monkeypatch.setattr(event_product, "BUILT", {})
    x = torch.zeros(6400, 10)
    assert density(x) == 0
    assert density(x + 1) == 1
    x[:3200] = 1.0
    assert 0.4 < density(x) < 0.6
    assert density(torch.ones(1, 5)[:, :3]) == 1
    wide = torch.zeros(64, 5000)
    wide[:, 2000:4000] = 1.0
    assert 0.2 < density(wide) < 0.6
    wide = torch.zeros(1, 50000)
    wide[0, :4000] = 1.0
    assert 0 < density(wide) <= 1


def test_without_a_compiler_there_is_none(monkeypatch):
    monkeypatch.setattr(event_product, "BUILT", {})
    monkeypatch.setattr(cpp, "why_not", lambda device: "none is installed")
    x = sparse(130, 20, 0.1)
    assert times(x, torch.randn(20, 70), most=1.0) is None
    assert transposed_times(x, torch.randn(130, 70), most=1.0) is None


def test_break_even_falls_with_columns_and_is_never_for_few():
    assert most_dense(4096, 1000) > most_dense(4096, 64) > 0 > most_dense(4096, 10)
    assert most_dense(1, 1000) > most_dense(16, 1000)

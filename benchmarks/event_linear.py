"""When is a product with a sparse left side faster by its events than by torch?

``x @ w.T`` and ``g.T @ x`` of a linear map, whose x [M, K] is random spikes of some density and
whose weight [N, K] is laid out input by input, against torch's products of plain weights, in turn
and round by round. A few inputs take turns, as the steps of a stream do. The densities where the
ratio falls below 1 are what ``kernels/event_product.py`` compares with, less a margin. Rows are
appended to event_linear.csv.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from measured.clock import middle, timed
from measured.report import COMMON, append, common, show
from spikeframe.kernels.event_product import times, transposed_times
from torch import Tensor
from torch.nn import functional as F

TABLE = Path(__file__).with_suffix(".csv")
SHOWN = ("shape", "density", "product", "torch_us", "events_us", "times")
COLUMNS = (*COMMON, *SHOWN)
CPU = torch.device("cpu")
SHAPES = (
    *((1, 784, 1000), (1, 2048, 2048), (4, 784, 1000), (16, 784, 1000), (64, 256, 256)),
    *((64, 784, 1000), (256, 784, 1000), (6400, 700, 256), (3200, 784, 1000)),
    *((3200, 1000, 64), (3200, 1000, 10)),
)
DENSITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
# Inputs that take turns.
INPUTS = 8

Row = dict[str, object]


def actions(sizes: tuple[int, int, int], density: float) -> dict[str, Callable[[int], object]]:
    """Both products in both ways."""
    rows, inner, columns = sizes
    count = INPUTS if rows < 512 else 1
    x = [(torch.rand(rows, inner) < density).float() for _ in range(count)]
    weight, bias, grad = (
        torch.randn(columns, inner),
        torch.randn(columns),
        torch.randn(rows, columns),
    )
    right = weight.t().contiguous()
    check(times(x[0], right, bias, most=1.0), F.linear(x[0], weight, bias))
    check(transposed_times(x[0], grad, most=1.0), x[0].t() @ grad)
    return {
        "forward/torch": lambda call: F.linear(x[call % count], weight, bias),
        "forward/events": lambda call: times(x[call % count], right, bias, most=1.0),
        "weight gradient/torch": lambda call: grad.t() @ x[call % count],
        "weight gradient/events": lambda call: transposed_times(x[call % count], grad, most=1.0),
    }


def check(found: Tensor | None, expected: Tensor) -> None:
    """Raise an error unless the products agree."""
    if found is None:
        raise RuntimeError("there is no kernel: a C++ compiler is needed")
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def rows_of(sizes: tuple[int, int, int], density: float, rounds: int, threads: int) -> list[Row]:
    """A row for each product."""
    samples = timed(actions(sizes, density), rounds, CPU, threads)
    rows = []
    for product in ("forward", "weight gradient"):
        dense, events = (middle(samples[f"{product}/{by}"]) for by in ("torch", "events"))
        rows.append(
            {
                "shape": "x".join(map(str, sizes)),
                "density": density,
                "product": product,
                "torch_us": f"{dense * 1e6:.1f}",
                "events_us": f"{events * 1e6:.1f}",
                "times": f"{dense / events:.2f}",
            }
        )
    return rows


def main() -> None:
    """Measure, print and append."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TABLE, help="the table to append to")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds, 2 at least")
    parser.add_argument("--threads", type=int, default=1, help="number of threads")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with torch.no_grad():
        for sizes in SHAPES:
            rows = [
                common(CPU, options.threads) | row
                for density in DENSITIES
                for row in rows_of(sizes, density, options.rounds, options.threads)
            ]
            show(f"M x K x N, {options.threads} thread(s), load {rows[0]['load']}", rows, SHOWN)
            append(rows, options.out, COLUMNS)


if __name__ == "__main__":
    main()

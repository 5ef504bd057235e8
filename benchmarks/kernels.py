"""How fast is a neuron over time on each backend, and how much does it keep?

Times three passes of every contender in turn, round by round, so that a busy machine hurts all
alike: inference, forward (with a graph), and training (forward and backward). Spikes are compared
before. Peers take part where they are installed, and on the CPU a loop written by hand. Buffers
are taken in turn, more of them than a cache holds. With one thread on the CPU the clock is the
process's own time. Rows are appended to kernels.csv.

``of_copy`` is the part of the copy bandwidth, measured in the same run, that a pass reaches on the
bytes that must move: of E bytes per element, inference reads x and writes spikes (2 E), a forward
saves a value besides (3 E), a backward reads that and a gradient and writes one (3 E). It exceeds
1 where a pass saves less, or its buffers are cached better.

On the CPU, where a pass meets memory that malloc gave back to the system, page faults cost more
than the pass (they are in the table); in the environment, MALLOC_TOP_PAD_=1000000000
MALLOC_TRIM_THRESHOLD_=10000000000 MALLOC_MMAP_THRESHOLD_=10000000000 keeps it.
"""

import argparse
import itertools
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measured.clock import Sample, middle, peak_bytes, timed
from measured.contenders import NEURONS, Contender, contenders
from measured.plot import plot
from measured.report import COMMON, append, common, show
from measured.yardstick import copies
from torch import Tensor

TABLE = Path(__file__).with_suffix(".csv")
SHAPES = {
    "cpu": ((4, 32, 32768), (16, 64, 1024), (100, 128, 256), (1000, 16, 512)),
    "cuda": tuple((steps, 64, 65536) for steps in (4, 16, 32)),
}
# A sweep of steps, then of neurons.
SWEEPS = {
    "cpu": (
        *((steps, 8, 4096) for steps in (1, 2, 8, 32, 128)),
        *((16, 1, size) for size in (64, 1024, 16384, 262144)),
    ),
    "cuda": (
        *((steps, 8, 65536) for steps in (1, 2, 8, 64, 256)),
        *((16, 1, size) for size in (1024, 65536, 1048576, 8388608)),
    ),
}
# Bytes of an element that must move, in elements.
LEAST = {"inference": 2, "forward": 3, "training": 6}
# Spikes are compared on so many neurons at most.
COMPARED = 4096
REFERENCES = {"times_spikingjelly": ("spikingjelly", "m"), "times_eager": ("eager", "m")}
COLUMNS = (
    *COMMON,
    *("neuron", "dtype", "contender", "step_mode", "shape", "pass", "ms", "ms_20", "ms_80"),
    *("times_spikingjelly", "times_eager", "faults", "saved_bytes", "peak_bytes", "least_bytes"),
    *("copy_gb_s", "of_copy"),
)
SHOWN = (
    *("contender", "step_mode", "pass", "ms", "ms_20", "ms_80", "times_spikingjelly"),
    *("times_eager", "faults", "saved_bytes", "peak_bytes", "least_bytes", "of_copy"),
)

Row = dict[str, object]


def check(group: list[Contender], x_seq: Tensor) -> None:
    """Raise an AssertionError unless all that should be are equal to eager spikes on the CPU."""
    # Whole rows where the loop by hand needs them, few neurons where there are very many.
    few = x_seq if x_seq[0].numel() <= COMPARED else x_seq.flatten(1)[:, :COMPARED].contiguous()
    (eager,) = [c for c in group if (c.name, c.step_mode) == ("eager", "m")]
    expected = eager.run(few.cpu())
    for contender in group:
        if contender.equal and not torch.equal(contender.run(few).cpu(), expected):
            raise AssertionError(f"{contender.name} ({contender.step_mode}) gives other spikes")


def saved_bytes(contender: Contender, x_seq: Tensor) -> str:
    """Bytes kept for the backward per neuron and step, beyond the input itself."""
    if contender.passes:
        return ""
    x_seq = x_seq.detach().requires_grad_()
    kept = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.untyped_storage())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        spikes = contender.run(x_seq)
    sizes = {storage.data_ptr(): storage.nbytes() for storage in kept}
    sizes.pop(x_seq.untyped_storage().data_ptr(), None)
    return f"{sum(sizes.values()) / spikes.numel():.1f}"


def passes(
    contender: Contender, x_seqs: list[Tensor], grad: Tensor
) -> dict[str, Callable[[int], object]]:
    """What is timed, given the number of a call."""
    if contender.passes:
        return {
            name: lambda call, run=run: run(x_seqs[call % len(x_seqs)], grad)
            for name, run in contender.passes.items()
        }

    def inference(call: int) -> None:
        with torch.no_grad():
            contender.run(x_seqs[call % len(x_seqs)])

    def forward(call: int) -> Tensor:
        return contender.run(x_seqs[call % len(x_seqs)].requires_grad_())

    def training(call: int) -> None:
        forward(call).backward(grad)
        x_seqs[call % len(x_seqs)].grad = None

    return {"inference": inference, "forward": forward, "training": training}


def measure(
    name: str, shape: tuple[int, ...], dtype: torch.dtype, options: argparse.Namespace
) -> list[Row]:
    """A row for each contender and pass."""
    device, threads = torch.device(options.device), torch.get_num_threads()
    torch.manual_seed(0)
    x_seq = (torch.rand(shape, device=device) * 2).to(dtype)
    grad, room = torch.rand(shape, device=device).to(dtype), torch.empty_like(x_seq)
    count = max(2, -(-cache_bytes(device) // x_seq.nbytes))
    x_seqs = [x_seq.clone() for _ in range(min(count, options.buffers))]
    group = contenders(name, x_seq)
    check(group, x_seq)
    whole = [passes(contender, x_seqs, grad) for contender in group]
    copied = copies(x_seq, room)
    actions: dict[str, Any] = {key: lambda call, f=f: f() for key, f in copied.items()}
    actions |= {
        f"{i} {kind}": action for i, each in enumerate(whole) for kind, action in each.items()
    }
    shared = common(device, threads) | {
        "neuron": name,
        "dtype": str(dtype).removeprefix("torch."),
        "shape": "x".join(map(str, shape)),
    }
    samples = timed(actions, options.rounds, device, threads)
    copy = 2 * x_seq.nbytes / min(middle(samples[key]) for key in copied)
    return [
        shared
        | {"contender": contender.name, "step_mode": contender.step_mode, "pass": kind}
        | {"saved_bytes": saved_bytes(contender, x_seq) if kind == "training" else ""}
        | {"peak_bytes": f"{peak_bytes(action, device) / x_seq.numel():.1f}"}
        | speed(samples[f"{i} {kind}"], LEAST[kind] * x_seq.element_size(), x_seq, copy)
        | against(kind, i, group, samples)
        for i, (contender, each) in enumerate(zip(group, whole, strict=True))
        for kind, action in each.items()
    ]


def speed(samples: list[Sample], least: int, x_seq: Tensor, copy: float) -> Row:
    """The times of one pass, as they are and against the bandwidth."""
    seconds = middle(samples)
    fifths = statistics.quantiles([sample.seconds for sample in samples], n=5)
    return {
        "ms": f"{seconds * 1e3:.4f}",
        "ms_20": f"{fifths[0] * 1e3:.4f}",
        "ms_80": f"{fifths[-1] * 1e3:.4f}",
        "faults": round(statistics.median(sample.faults for sample in samples)),
        "least_bytes": least,
        "copy_gb_s": f"{copy / 1e9:.1f}",
        "of_copy": f"{least * x_seq.numel() / seconds / copy:.3f}",
    }


def against(
    kind: str, index: int, group: list[Contender], samples: dict[str, list[Sample]]
) -> Row:
    """How many times faster than others a contender is."""
    own = middle(samples[f"{index} {kind}"])
    found: Row = {}
    for column, key in REFERENCES.items():
        others = [i for i, other in enumerate(group) if (other.name, other.step_mode) == key]
        found[column] = f"{middle(samples[f'{others[0]} {kind}']) / own:.2f}" if others else ""
    return found


def cache_bytes(device: torch.device) -> int:
    """The size of the largest cache."""
    if device.type == "cuda":
        return 2 * torch.cuda.get_device_properties(device).L2_cache_size
    sizes = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    return max([int(path.read_text().strip().rstrip("K")) * 1024 for path in sizes], default=0)


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, default=TABLE, help="the table to append to")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--rounds", type=int, default=15, help="timed rounds, 2 at least")
    add("--threads", type=int, nargs="+", default=[1], help="numbers of threads, on the CPU")
    add("--neurons", nargs="+", default=["LIF"], choices=NEURONS)
    add("--dtypes", nargs="+", default=["float32"], help="such as float16")
    add("--shapes", nargs="*", help="such as 4x32x32768; by default those of the device")
    add("--sweep", action="store_true", help="sweep steps and neurons")
    add("--buffers", type=int, default=16, help="inputs that are taken in turn, at most")
    add("--plot", type=Path, help="a picture of the table, to be drawn at the end")
    return parser.parse_args()


def main() -> None:
    """Measure, print and append, shape by shape."""
    options = parsed()
    kind = torch.device(options.device).type
    shapes = SWEEPS[kind] if options.sweep else SHAPES[kind]
    if options.shapes:
        shapes = tuple(tuple(map(int, shape.split("x"))) for shape in options.shapes)
    dtypes = [getattr(torch, name) for name in options.dtypes]
    for threads in options.threads:
        torch.set_num_threads(threads)
        for name, dtype, shape in itertools.product(options.neurons, dtypes, shapes):
            rows = measure(name, shape, dtype, options)
            first = rows[0]
            title = f"{name} [{first['shape']}] {first['dtype']}, {threads} thread(s)"
            show(f"{title}, copy {first['copy_gb_s']} GB/s", rows, SHOWN)
            append(rows, options.out, COLUMNS)
    if options.plot:
        plot(options.out, options.plot)


if __name__ == "__main__":
    main()

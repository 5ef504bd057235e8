"""What has been tried and did not make networks faster: each trial beside what is done instead.

Prints ratios, of runs in turn, by the process's own time where one thread runs. NOTES.md keeps
what was found, with the machine and the commit.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from measured.report import common
from networks import nets
from networks.kits import Kit
from torch import Tensor, nn
from torch.nn import functional as F

from spikeframe import functional, neuron

Action = Callable[[], object]

DENSITIES = (0.01, 0.02, 0.05, 0.1, 0.2)


def ratio(tried: Action, instead: Action, rounds: int, clock: Callable[[], float]) -> float:
    """How many times faster what was tried is: the median of pairs."""
    found = []
    for _ in range(rounds + 2):
        begin = clock()
        tried()
        middle = clock()
        instead()
        found.append((clock() - middle) / (middle - begin))
    return statistics.median(found[2:])


def tell(what: str, times: float) -> None:
    """Print a line."""
    print(f"  {what:<58} {times:6.2f} times as fast", flush=True)


def sparse(rounds: int) -> None:
    """Spikes of workload (a) as a sparse matrix, made anew in each call, or at hand."""
    weight = torch.rand(1000, 784)
    for density in DENSITIES:
        spikes = (torch.rand(25 * 128, 784) < density).float()
        rows, columns = spikes.to_sparse_csr(), weight.t().contiguous()

        def dense(spikes: Tensor = spikes) -> Tensor:
            return F.linear(spikes, weight)

        made = ratio(lambda s=spikes, c=columns: s.to_sparse_csr() @ c, dense, rounds, CPU)
        ready = ratio(lambda r=rows, c=columns: r @ c, dense, rounds, CPU)
        tell(f"CSR, density {density:g}, made anew", made)
        tell(f"CSR, density {density:g}, at hand", ready)


def bfloat16(rounds: int) -> None:
    """Products and convolutions with 16-bit numbers, without the casts."""
    x, linear = torch.rand(3200, 784), nn.Linear(784, 1000)
    image, conv = torch.rand(32, 64, 32, 32), nn.Conv2d(64, 64, 3, padding=1)
    for name, module, given in (("linear", linear, x), ("convolution", conv, image)):
        short = type(module)(*_sizes(module)).bfloat16()
        less = given.bfloat16()
        with torch.no_grad():
            tell(
                f"bfloat16 {name}",
                ratio(lambda m=short, y=less: m(y), lambda m=module, y=given: m(y), rounds, CPU),
            )


def cached(rounds: int) -> None:
    """Sequences written through the caches however long they are, beside past them."""
    from spikeframe.kernels import cpp

    past = cpp.MOST_CACHED
    for shape in ((4, 32, 32768), (16, 64, 1024), (100, 128, 256)):
        x_seq = torch.rand(shape, requires_grad=True)

        def of(most: int, x_seq: Tensor = x_seq) -> Action:
            node = neuron.LIFNode(step_mode="m", backend="cpp")
            grad = torch.rand(x_seq.shape)

            def run() -> None:
                cpp.MOST_CACHED = most
                node.reset()
                torch.autograd.grad(node(x_seq), x_seq, grad)

            return run

        tell(f"through the caches, {shape}", ratio(of(2**40), of(past), 5 * rounds, CPU))
    cpp.MOST_CACHED = past


def step(net: nn.Module, kit: Kit, x_seq: Tensor) -> Action:
    """A training step."""

    def run() -> None:
        kit.run(net, x_seq).mean(0).square().sum().backward()

    return run


def compiled(rounds: int) -> None:
    """torch.compile of workload (b), beside the net as it is."""
    kit, net = _net(nets.conv_net)
    x_seq = torch.rand(32, 1, 28, 28).expand(4, 32, 1, 28, 28)
    whole = torch.compile(net)
    begin = time.perf_counter()
    step(whole, kit, x_seq)()
    print(f"  compiled in {time.perf_counter() - begin:.0f} s")
    made = ratio(step(whole, kit, x_seq), step(net, kit, x_seq), rounds, CPU)
    tell("torch.compile, conv net, training", made)


def modes(rounds: int) -> None:
    """Step mode 's', a loop over steps, beside 'm'."""
    for name, make, shape in _CASES:
        (kit, loop), (_, net) = _net(make), _net(make)
        functional.set_step_mode(loop, "s")
        x_seq = (torch.rand(shape) < 0.3).float()

        def run(loop: nn.Module = loop, x_seq: Tensor = x_seq) -> None:
            functional.reset_net(loop)
            outputs = torch.stack([loop(x) for x in x_seq.unbind(0)])
            outputs.mean(0).square().sum().backward()

        tell(f"step mode 's', {name}, training", ratio(run, step(net, kit, x_seq), rounds, CPU))


def threads(rounds: int) -> None:
    """Two threads beside one, by the time that passes: for a machine with two idle cores."""
    for name, make, shape in _CASES:
        kit, net = _net(make)
        run = step(net, kit, (torch.rand(shape) < 0.3).float())

        def of(count: int, run: Action = run) -> Action:
            def with_threads() -> None:
                torch.set_num_threads(count)
                run()

            return with_threads

        tell(f"two threads, {name}, training", ratio(of(2), of(1), rounds, time.perf_counter))
    torch.set_num_threads(1)


def _net(make: Callable[[Kit], nn.Module]) -> tuple[Kit, nn.Module]:
    torch.manual_seed(0)
    kit = Kit()
    return kit, kit.ready(make(kit))


def _sizes(module: nn.Module) -> tuple[int, ...]:
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    return 64, 64, 3, 1, 1


CPU = time.process_time
_CASES = (
    ("a: MLP", nets.mlp, (25, 128, 1, 28, 28)),
    ("b: conv net", nets.conv_net, (4, 32, 1, 28, 28)),
)
TRIALS = {f.__name__: f for f in (sparse, bfloat16, cached, compiled, modes, threads)}


def main() -> None:
    """Run trials and print what they find."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", nargs="*", default=list(TRIALS), metavar="TRIAL")
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds")
    options = parser.parse_args()
    unknown = set(options.trials) - set(TRIALS)
    if unknown:
        parser.error(f"no trial {', '.join(sorted(unknown))}: choose from {', '.join(TRIALS)}")
    torch.set_num_threads(1)
    for name in options.trials:
        where = common(torch.device("cpu"), 1)
        told = ", ".join(f"{where[key]}" for key in ("date", "commit", "torch", "machine"))
        print(f"{name}: {TRIALS[name].__doc__}\n  {told}, load {where['load']}")
        TRIALS[name](options.rounds)


if __name__ == "__main__":
    main()

"""What is shown at the end of a run: accuracies, firing rates, the figure, where everything is."""

import torch
from torch import Tensor, nn

from .. import functional, plot
from ..data import Split
from ..monitor import FiringRates, LayerRates, recorded_spikes
from .fit import Fit
from .folder import RunFolder, write_whole
from .loop import evaluate
from .metrics import best_validated
from .pictures import still
from .samples import Samples

__all__ = ["write_report"]


def write_report(folder: RunFolder, split: Split[Samples], spiking: Fit, twin: Fit | None) -> None:
    """Print the results of a run and draw its figure.

    Arguments:
        folder: Where the run's results are.
        split: Training and test set.
        spiking: The trained spiking network.
        twin: The trained twin with ReLU, if there is one.

    Raises:
        CommandError: the figure cannot be written.
    """
    fits = [spiking] if twin is None else [spiking, twin]
    print("\nafter the last epoch    test accuracy   training")
    for fit in fits:
        print(_result(fit))
    if split.valid is not None:
        print("after the epoch of the best validation")
        for fit in fits:
            print(_validated(fit))
    print("\nfiring rate on the test set")
    for line in _rates(_firing_rates(spiking, split)):
        print(line)
    write_whole(folder.figure, _figure(split, fits))
    print("\nresults")
    weights = [folder.validated] if split.valid is not None else []
    for path in (folder.checkpoint, *weights, folder.metrics, folder.figure):
        print(f"  {path}")
    if twin is not None:
        print(f"  {folder.baseline.path} (the same of the ReLU network)")


def _result(fit: Fit) -> str:
    seconds = sum(row["seconds"] for row in fit.rows)
    return f"  {fit.learner.title:<22}{fit.rows[-1]['test_accuracy']:>12.2%}{seconds:>9.1f} s"


def _validated(fit: Fit) -> str:
    row = best_validated(fit.rows)
    if row is None:
        return ""
    return (
        f"  {fit.learner.title:<22}{row['test_accuracy']:>12.2%}    epoch {row['epoch']:.0f} of "
        f"{len(fit.rows)}, validation {row['valid_accuracy']:.2%}"
    )


def _firing_rates(spiking: Fit, split: Split[Samples]) -> list[LayerRates]:
    with FiringRates(spiking.learner.net) as rates:
        evaluate(spiking.learner, split.test)
    return rates.layers()


def _rates(layers: list[LayerRates]) -> list[str]:
    """One line per layer; dead and saturated neurons are called out where there are any."""
    lines = []
    for layer in layers:
        line = f"  {layer.name:<22}{layer.neurons:>6} neurons{layer.mean:>9.2%} of steps"
        if layer.dead:
            line += f"   {layer.dead} dead ({layer.dead / layer.neurons:.0%})"
        if layer.saturated:
            line += f"   {layer.saturated} saturated ({layer.saturated / layer.neurons:.0%})"
        lines.append(line)
    return lines


def _sequence(node: nn.Module, calls: list[Tensor]) -> Tensor:
    r"""A node's spikes [T, N, \*]: of one call, or of a call per step in a recurrent net."""
    return torch.stack(calls) if node.step_mode == "s" else calls[0]


def _figure(split: Split[Samples], fits: list[Fit]) -> bytes:
    """The run at a glance, with the first test sample as the input."""
    learner = fits[0].learner
    learner.net.eval()
    samples, labels = split.test[:1]
    with torch.no_grad(), recorded_spikes(learner.net) as spikes:
        potentials = learner.scores(samples)
    functional.reset_net(learner.net)
    figure = plot.training_figure(
        curves={fit.learner.title: fit.rows for fit in fits},
        image=samples[0] if samples.dim() == 4 else still(samples[:, 0]),
        spikes={
            f"layer {i}": _sequence(learner.net.get_submodule(name), calls)[:, 0]
            for i, (name, calls) in enumerate(spikes.items(), 1)
        },
        potentials=potentials[:, 0],
        classes=split.test.classes,
        label=int(labels[0]),
    )
    return plot.to_png(figure)

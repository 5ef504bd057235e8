"""What is shown at the end of a run: accuracies, firing rates, the figure, where everything is."""

import torch

from .. import functional, plot
from ..data import Split
from ..monitor import FiringRates, LayerRates, recorded_spikes
from .fit import Fit
from .folder import RunFolder, write_whole
from .loop import evaluate

__all__ = ["write_report"]


def write_report(folder: RunFolder, split: Split, spiking: Fit, twin: Fit | None) -> None:
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
    print("\nfiring rate on the test set")
    for line in _rates(_firing_rates(spiking, split)):
        print(line)
    write_whole(folder.figure, _figure(split, fits))
    print("\nresults")
    for path in (folder.checkpoint, folder.metrics, folder.figure):
        print(f"  {path}")
    if twin is not None:
        print(f"  {folder.baseline.path} (the same of the ReLU network)")


def _result(fit: Fit) -> str:
    seconds = sum(row["seconds"] for row in fit.rows)
    return f"  {fit.learner.title:<22}{fit.rows[-1]['test_accuracy']:>12.2%}{seconds:>9.1f} s"


def _firing_rates(spiking: Fit, split: Split) -> list[LayerRates]:
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


def _figure(split: Split, fits: list[Fit]) -> bytes:
    """The run at a glance, with the first test image as the input."""
    learner = fits[0].learner
    learner.net.eval()
    images, labels = split.test[:1]
    with torch.no_grad(), recorded_spikes(learner.net) as spikes:
        potentials = learner.scores(images)
    functional.reset_net(learner.net)
    figure = plot.training_figure(
        curves={fit.learner.title: fit.rows for fit in fits},
        image=images[0],
        spikes={f"layer {i}": calls[0][:, 0] for i, calls in enumerate(spikes.values(), 1)},
        potentials=potentials[:, 0],
        classes=split.test.classes,
        label=int(labels[0]),
    )
    return plot.to_png(figure)

"""What a layer cannot take: the error names it, what it got and what it takes, and the cure."""

import re

import pytest
import torch
from layers import LAYERS
from own_layers import OWN_LAYERS
from torch import nn

from spikeframe import functional, layer, neuron

CONTAINERS = {
    "MultiStepContainer": lambda: layer.MultiStepContainer(neuron.IFNode()),
    "SeqToANNContainer": lambda: layer.SeqToANNContainer(nn.ReLU()),
    "StepModeContainer": lambda: layer.StepModeContainer(True, neuron.IFNode(), step_mode="m"),
    "MultiStep": lambda: layer.MultiStep(nn.ReLU()),
    "TLastMultiStepContainer": lambda: layer.TLastMultiStepContainer(neuron.IFNode()),
    "TLastSeqToANNContainer": lambda: layer.TLastSeqToANNContainer(nn.ReLU()),
}

each_own = pytest.mark.parametrize("case", OWN_LAYERS, ids=str)
each_torch = pytest.mark.parametrize("case", LAYERS, ids=str)


def inside(module):
    """Its name in a net is '1'."""
    return nn.Sequential(nn.Identity(), module)


def refused(module, x, text, error=ValueError):
    named = rf"({type(module).__name__} '1'|\w+ '1\.[\w.]+')"
    with pytest.raises(error, match=rf"^{named}.*{text}"):
        inside(module)(x)


@each_own
def test_own_layers_take_tensors(case):
    for step_mode in case.modes:
        refused(case.build(step_mode), [1.0], "takes a tensor, got list", TypeError)


@each_torch
@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_layers_take_tensors(case, step_mode):
    refused(case.build(step_mode), [1.0], "takes a tensor, got list", TypeError)


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_take_sequences(name):
    build = CONTAINERS[name]
    got = r"takes .*got (list|tensors of shapes \[\])"
    with pytest.raises((TypeError, ValueError), match=rf"^{name} '1'.*{got}"):
        inside(build())([1.0])
    if not name.startswith("TLast"):
        refused(build(), torch.ones(()), r"\[T, N, \*\].*\[\]")
        refused(build(), torch.ones(0, 2), r"at least one step, got T=0|T=0")


@each_own
def test_sequences_have_steps(case):
    if "m" in case.modes:
        empty = case.sequence()[:0]
        refused(case.build("m"), empty, rf"(?=.*T=0).*{re.escape(str(list(empty.shape)))}")


@pytest.mark.parametrize(
    ("build", "shape", "text"),
    [
        (lambda: layer.Conv2d(3, 4, 3), (2, 5, 9, 9), r"C=3, got .*in_channels=5"),
        (lambda: layer.Conv2d(3, 4, 3), (5, 9, 9), r"\[C, H, W\] with C=3, .* in_channels=5"),
        (lambda: layer.ConvTranspose1d(3, 4, 3), (2, 5, 9), r"C=3, got .*in_channels=5"),
        (lambda: layer.BatchNorm1d(3), (2, 5), r"\[N, C\] with C=3, got .*num_features=5"),
        (lambda: layer.BatchNorm2d(3), (2, 5, 9, 9), r"C=3, got .*num_features=5"),
        (lambda: layer.GroupNorm(1, 3), (2, 5, 9, 9), r"C=3, got .*num_channels=5"),
        (lambda: layer.Linear(3, 4), (2, 7, 5), r"F=3, got .*in_features=5"),
        (lambda: layer.Linear(3, 4), (5,), r"F=3, got .*in_features=5"),
        (lambda: layer.WSConv2d(3, 4, 3), (2, 5, 9, 9), r"C=3, got .*in_channels=5"),
        (lambda: layer.WSLinear(3, 4), (2, 5), r"F=3, got .*in_features=5"),
        (
            lambda: layer.TemporalEffectiveBatchNorm1d(2, 3, step_mode="s"),
            (2, 5),
            r"C=3, got .*num_features=5",
        ),
        (
            lambda: layer.SpikingSelfAttention(8, 2, neuron.LIFNode, step_mode="s"),
            (2, 4, 5),
            r"C=8, got .*dim=4",
        ),
        (
            lambda: layer.SpikeDrivenSelfAttention(8, 2, neuron.LIFNode, step_mode="s"),
            (2, 4, 5, 5),
            r"C=8, got .*dim=4",
        ),
    ],
)
def test_channels_that_do_not_fit_name_both_numbers(build, shape, text):
    module = build()
    refused(module, torch.rand(shape), text)
    if len(shape) > 1 and "N" in text:
        functional.set_step_mode(module, "m")
        refused(module, torch.rand(2, *shape), text.replace(r"\[N", r"\[T, N"))


def test_a_channel_error_tells_the_cure():
    text = (
        "Conv2d '1' takes [T, N, C, H, W] with C=3, got an input of shape [4, 2, 5, 9, 9]: make "
        "it with in_channels=5, or what is in front of it with 3 outputs"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        inside(layer.Conv2d(3, 4, 3, step_mode="m"))(torch.rand(4, 2, 5, 9, 9))

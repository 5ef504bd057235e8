"""Where time is folded, a module's forward gets the sequence exactly where it needs the steps."""

import inspect

import torch
from torch import nn

from spikeframe import base, layer, neuron


class Twice(neuron.IFNode):
    """Overrides forward, as published nodes do, and calls the one it replaces."""

    def forward(self, x):
        self.seen = x.shape, self.step_mode
        return 2 * super().forward(x)


class Plain(base.StepModule, nn.Module):
    """Remembers nothing."""

    def forward(self, x, *, scale=1):
        self.seen = x.shape, self.step_mode
        return x * scale


def test_an_overridden_forward_gets_the_sequence():
    node, x_seq = Twice(), torch.rand(4, 2, 3)
    y_seq = layer.MultiStep(node)(x_seq)
    assert node.seen == ((4, 2, 3), "m")
    assert torch.equal(y_seq, 2 * neuron.IFNode(step_mode="m")(x_seq))


def test_a_module_without_memory_gets_what_its_step_mode_says():
    plain, x_seq = Plain(), torch.rand(4, 2, 3)
    layer.MultiStep(plain)(x_seq)
    assert plain.seen == ((8, 3), "s")
    plain.step_mode = "m"
    layer.MultiStep(plain)(x_seq)
    assert plain.seen == ((4, 2, 3), "m")


def test_a_module_within_one_that_remembers_gets_the_sequence_once():
    class Outer(base.MemoryModule):
        def __init__(self):
            super().__init__()
            self.inner = Plain()
            self.register_memory("total", 0.0)

        def multi_step_forward(self, x_seq):
            return self.inner(x_seq)

    net = Outer()
    layer.MultiStep(net)(torch.rand(4, 2, 3))
    assert net.inner.seen == ((4, 2, 3), "s")


def test_sequences_may_be_passed_by_name():
    plain = Plain()
    plain.step_mode = "m"

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.plain = plain

        def forward(self, x):
            return self.plain(x=x, scale=2)

    x_seq = torch.rand(4, 2, 3)
    assert torch.equal(layer.MultiStep(Net())(x_seq), 2 * x_seq)


def test_forward_keeps_its_signature_and_docstring():
    assert str(inspect.signature(Plain.forward)) == "(self, x, *, scale=1)"
    assert "one step" in inspect.getdoc(neuron.IFNode.forward)

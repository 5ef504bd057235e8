"""Links are found where one module is called on the output of another, and nothing else is."""

import pytest
import torch
from torch import nn

from spikeframe import base, convert, layer
from spikeframe.functional.chain import Link, links


class Net(nn.Module):
    """Two layers and a chain of two, called as ``step`` says."""

    def __init__(self, step):
        super().__init__()
        self.a, self.b, self.chain = nn.Linear(2, 2), nn.Tanh(), pair()
        self.step = step

    def forward(self, x):
        return self.step(self, x)


def pair():
    return nn.Sequential(nn.Linear(2, 2), nn.ReLU())


def branching(net, x):
    x = net.b(net.a(x))
    return net.chain(x) if x.sum() > 0 else x


@pytest.mark.parametrize(
    ("step", "found"),
    [
        (lambda net, x: net.b(net.a(x)), [("a", "b", None)]),
        (lambda net, x: net.b(net.a(x) + 1), []),
        (lambda net, x: net.b(net.a(x).relu()), []),
        (lambda net, x: net.b(x) + net.a(x), []),
        (lambda net, x: net.b(input=net.a(x)), []),
        (
            lambda net, x: net.chain(net.a(x)),
            [("a", "chain.0", None), ("chain.0", "chain.1", None)],
        ),
        (
            lambda net, x: net.b(y := net.a(x)) + y,
            [("a", "b", "something else takes the output of a, too")],
        ),
        (
            lambda net, x: net.b(net.a(x)) + net.a(x),
            [("a", "b", "a is called more than once")],
        ),
        (lambda net, x: net.b(net.b(x)), [("b", "b", "b is called more than once")]),
        (branching, [("chain.0", "chain.1", None)]),
    ],
)
def test_links_of_code(step, found):
    assert list(links(Net(step))) == found


def test_names_begin_with_a_prefix_in_the_reason_too():
    net = Net(lambda net, x: net.b(y := net.a(x)) + y + net.chain.get_submodule("0")(net.chain(x)))
    found = list(links(net, "part."))
    assert found[0] == ("part.a", "part.b", "something else takes the output of part.a, too")
    assert found[-1].why_not == "part.chain.0 is called more than once"


def test_a_module_of_two_names_is_called_twice():
    shared = nn.Linear(2, 2)
    found = list(links(nn.Sequential(shared, nn.ReLU(), shared)))
    assert [link.why_not for link in found] == ["0 is called more than once"] * 2


def test_parts_of_code_that_cannot_be_followed_are_followed_by_themselves():
    class Outer(nn.Sequential):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else x

    found = list(links(Outer(Net(branching), nn.Sequential(pair()))))
    assert found == [("0.chain.0", "0.chain.1", None), ("1.0.0", "1.0.1", None)]
    assert isinstance(found[0], Link)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda net: layer.MultiStepContainer(*net),
        lambda net: convert.to_layers(net, "m"),
        lambda net: nn.Sequential(layer.MultiStep(net)),
    ],
)
def test_sequences_are_looked_into_and_left_as_they_are(wrap):
    net = wrap(pair())
    x_seq, kinds = torch.rand(3, 4, 2), [type(m) for m in net.modules()]
    expected = net(x_seq)
    (found,) = links(net)
    assert (found.before[-1], found.after[-1], found.why_not) == ("0", "1", None)
    assert isinstance(net.get_submodule(found.before), nn.Linear)
    assert kinds == [type(m) for m in net.modules()]
    assert torch.equal(net(x_seq), expected)


@pytest.mark.parametrize("wrap", [convert.to_layers, lambda net: net])
def test_other_code_of_steps_is_followed_as_it_is(wrap):
    class Sum(Net, base.StepModule):
        """Its parts are no sequence."""

    for kind in (Net, Sum):
        net = wrap(kind(lambda net, x: net.b(x) + net.chain(net.a(x))))
        assert [link[:2] for link in links(net)] == [("a", "chain.0"), ("chain.0", "chain.1")]


@pytest.mark.parametrize("net", [nn.Linear(2, 2), nn.Sequential(), layer.Linear(2, 2)], ids=str)
def test_nets_without_parts_have_none(net):
    assert list(links(net)) == []


def test_turns_begin_anew_before_and_after():
    net = Net(lambda net, x: net.b(net.a(net.b(x))))
    convert.replace_activations(net, nn.Tanh, nn.ReLU)
    net.b.calls = 1
    assert [link[:2] for link in links(net)][:2] == [("b.0", "a"), ("a", "b.1")]
    assert net.b.calls == 0

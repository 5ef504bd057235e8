"""A module is named by its place in the net that runs."""

import gc

from torch import nn

from spikeframe.base.location import Location


class Where(nn.Module):
    """Says where it stands when it runs."""

    def forward(self, _):
        return Location(self)


def test_location_is_the_path_in_the_outermost_net():
    net = nn.Sequential(nn.Identity(), nn.ModuleDict({"a": Where()}), nn.Sequential(Where()))

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = net

        def forward(self, x):
            return self.body[1]["a"](x), self.body[2](x)

    outer = Outer()
    named, nested = outer(0)
    assert str(named) == "Where 'body.1.a'"
    assert str(nested) == "Where 'body.2.0'"
    alone = Where()
    assert str(alone(0)) == "Where"


def test_location_keeps_nothing_alive():
    module = Where()
    location = module(0)
    del module
    gc.collect()
    assert str(location) == "a module"

import pytest
import torch

from spikeframe import functional, neuron
from spikeframe.cli.augment import Share
from spikeframe.cli.options import DATA
from spikeframe.cli.recipes import RECIPES
from spikeframe.data import Integration

SENSORS = {
    "event-digits": (2, 16, 16),
    "n-mnist": (2, 34, 34),
    "dvs-gesture": (2, 128, 128),
    "cifar10-dvs": (2, 128, 128),
    "shd": (1, 1, 700),
    "ssc": (1, 1, 700),
}


def test_every_data_set_has_a_recipe():
    assert set(RECIPES) == set(DATA)


@pytest.mark.parametrize("name", SENSORS)
def test_networks_take_the_frames_of_their_data(name):
    recipe = RECIPES[name]
    shape = Integration(frames_number=2, factor=recipe.factor).shape(SENSORS[name])
    net = recipe.network(shape, 7, activation=neuron.LIFNode).eval()
    functional.set_step_mode(net, "m")
    x_seq = torch.rand(2, 1, *shape)
    generator = torch.Generator().manual_seed(0)
    assert recipe.augment(x_seq, generator, Share(1)).shape == x_seq.shape
    with torch.no_grad():
        assert net(x_seq).shape == (2, 1, 7)

"""Networks ready to train."""

from .conv_net import ConvNet
from .readout import MembraneReadout
from .recurrent_net import RecurrentLayer, RecurrentNet
from .vgg_net import VGGNet

__all__ = ["ConvNet", "MembraneReadout", "RecurrentLayer", "RecurrentNet", "VGGNet"]

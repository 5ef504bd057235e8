"""Networks ready to train."""

from .conv_net import ConvNet
from .readout import MembraneReadout

__all__ = ["ConvNet", "MembraneReadout"]

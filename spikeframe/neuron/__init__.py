"""Spiking neurons as modules: their state inside, one step or a sequence at a time."""

from .base_node import BaseNode
from .integrate_and_fire import IFNode
from .lif import LIFNode
from .node import Node
from .plif import ParametricLIFNode

__all__ = ["BaseNode", "IFNode", "LIFNode", "Node", "ParametricLIFNode"]

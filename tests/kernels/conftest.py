"""Puts the neurons of foreign_neurons.py within reach of the engine's tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

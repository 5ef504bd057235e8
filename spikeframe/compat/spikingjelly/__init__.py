"""SpikingJelly's older packages by their names, as most published models import them.

``clock_driven`` and ``cext`` are of its releases up to 0.0.0.0.12, ``activation_based`` of
0.0.0.0.14. A program moves over by writing ``spikeframe.compat.spikingjelly`` where it says
``spikingjelly``; everything it builds is spikeframe's own.
"""

from . import activation_based, cext, clock_driven

__all__ = ["activation_based", "cext", "clock_driven"]

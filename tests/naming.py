"""The names of parametrised cases, the same in every process."""

import re

__all__ = ["shown"]


def shown(value: object) -> str:
    """The value as text, without where it lies in memory: processes share the tests by name."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))

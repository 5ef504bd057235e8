"""How many threads a kernel may use."""

import os

import torch

__all__ = ["threads"]

_FORKED: list[bool] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _FORKED.append(True))


def threads(most: int) -> int:
    """torch's number of threads, ``most`` at most; 1 in a forked process, which has no others."""
    return 1 if _FORKED else max(1, min(torch.get_num_threads(), most))

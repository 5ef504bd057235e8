"""Tests meet the installed package, never the checkout.

The repository root on sys.path would make plain ``kernels`` (another project's name) importable
and give every module of ours a second identity.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.resolve()
sys.path[:] = [path for path in sys.path if Path(path).resolve() != ROOT]

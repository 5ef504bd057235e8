"""The protocol every stateful module follows: memories, reset, step modes."""

from .explicit import (
    extract_memories,
    load_memories,
    memories,
    named_memories,
    to_functional_forward,
)
from .memory import MemoryModule
from .step import MultiStepModule, SingleStepModule, StepModule, check_step_mode
from .traced import TracedModule

__all__ = [
    "MemoryModule",
    "MultiStepModule",
    "SingleStepModule",
    "StepModule",
    "TracedModule",
    "check_step_mode",
    "extract_memories",
    "load_memories",
    "memories",
    "named_memories",
    "to_functional_forward",
]

"""SpikingJelly's ``base``."""

from ....base import (
    MemoryModule,
    MultiStepModule,
    SingleStepModule,
    StepModule,
    TracedModule,
    check_step_mode,
    extract_memories,
    load_memories,
    memories,
    named_memories,
    to_functional_forward,
)

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

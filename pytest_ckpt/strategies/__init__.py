"""Generated input: Hypothesis strategies and the state machine of checkpoints."""

from pytest_ckpt.strategies.machine import checkpoint_machine

__all__ = ["checkpoint_machine"]

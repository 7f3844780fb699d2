"""The state machine of checkpoints: programs of events, executed, judged, shortened and printed."""

from pytest_ckpt.strategies.machine.changes import make_change
from pytest_ckpt.strategies.machine.making import checkpoint_machine

__all__ = ["checkpoint_machine", "make_change"]

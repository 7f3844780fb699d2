"""What can go wrong, on purpose: bugs of real programs that can be put into any run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pytest_ckpt.faults.damaging import DAMAGING
from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.forgetting import FORGETTING
from pytest_ckpt.faults.hidden import HIDDEN
from pytest_ckpt.faults.idle import IDLE
from pytest_ckpt.faults.injection import Injection, SelfTest
from pytest_ckpt.faults.leniency import LENIENCY
from pytest_ckpt.faults.loading import LOADING
from pytest_ckpt.faults.memory import MEMORY
from pytest_ckpt.faults.moving import MOVING
from pytest_ckpt.faults.replacing import REPLACING
from pytest_ckpt.faults.saving import SAVING
from pytest_ckpt.faults.surroundings import SURROUNDINGS

__all__ = ["FAULTS", "Fault", "Injection", "SelfTest"]

_ALL = (
    *FORGETTING,
    *DAMAGING,
    *REPLACING,
    *SURROUNDINGS,
    *SAVING,
    *LOADING,
    *HIDDEN,
    *MEMORY,
    *MOVING,
    *IDLE,
    *LENIENCY,
)

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in _ALL})
"""Every fault by name."""

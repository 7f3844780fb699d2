"""Where tensors live: real accelerators and simulated ones."""

from __future__ import annotations

from pytest_ckpt.devices.location_tags import Landing, Ledger, reading_anywhere, written_on
from pytest_ckpt.devices.placement import Misplaced, audit_placement, placements
from pytest_ckpt.devices.worlds import World, device_id, is_simulated, world

__all__ = [
    "Landing",
    "Ledger",
    "Misplaced",
    "World",
    "audit_placement",
    "device_id",
    "is_simulated",
    "placements",
    "reading_anywhere",
    "world",
    "written_on",
]

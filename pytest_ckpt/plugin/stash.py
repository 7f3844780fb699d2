"""What the command line and the ini file ask for; nothing is stashed where they ask for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from pytest_ckpt.plugin import settings

__all__ = ["DESELECTED", "FROM_CONFIG", "GOLDEN_USED", "GOLDEN_WROTE", "PACKAGES", "RUNS", "golden_directory"]

_Settings: TypeAlias = "settings.Settings"

FROM_CONFIG = pytest.StashKey[_Settings]()
RUNS = pytest.StashKey[tuple[str, ...]]()
"""The targets of ``--ckpt-run``."""
PACKAGES = pytest.StashKey[tuple[str, ...]]()
"""The names of ``--ckpt-package``."""

DESELECTED = pytest.StashKey[int]()
"""How many tests were deselected, in this process or in the workers of xdist."""

# Properties of reports, so that xdist carries them.
GOLDEN_USED, GOLDEN_WROTE = "ckpt_golden", "ckpt_golden_wrote"


def golden_directory(config: pytest.Config) -> str:
    """Return where ``ckpt.golden()`` has its files, seen from the test."""
    return str(config.getini("ckpt_golden_directory")) or "__checkpoints__"

"""What the command line and the ini file ask for; nothing is stashed where they ask for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from pytest_ckpt.plugin import settings

__all__ = ["FROM_CONFIG", "PACKAGES", "RUNS"]

_Settings: TypeAlias = "settings.Settings"

FROM_CONFIG = pytest.StashKey[_Settings]()
RUNS = pytest.StashKey[tuple[str, ...]]()
"""The targets of ``--ckpt-run``."""
PACKAGES = pytest.StashKey[tuple[str, ...]]()
"""The names of ``--ckpt-package``."""

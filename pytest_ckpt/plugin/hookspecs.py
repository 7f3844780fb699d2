"""Hooks that a ``conftest.py`` or another plugin can implement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_ckpt.formats import Format


@pytest.hookspec
def pytest_ckpt_formats(config: pytest.Config) -> Iterable[Format]:  # type: ignore[empty-body]
    """Return checkpoint formats of your own; they can then be asked for by their names.

    Called once, when pytest is configured: from plugins, and from the ``conftest.py`` files that pytest loads
    at its start.

    Args:
        config: The configuration of the test run.
    """

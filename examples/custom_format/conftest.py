"""Makes the project's format known to pytest-ckpt, next to its own ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from pytest_ckpt.formats import Format


def pytest_ckpt_formats(config: pytest.Config) -> list[Format]:
    # Here, so that other test runs need not wait for torch.
    from .broken import BROKEN_FORMATS
    from .formats import NPZ

    return [NPZ, *BROKEN_FORMATS]

"""Makes the formats known to pytest-ckpt."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from pytest_ckpt.formats import Format


def pytest_ckpt_formats(config: pytest.Config) -> list[Format]:
    from .formats import model_formats  # here, so that other test runs need not wait for torch

    return model_formats()

"""The standard library's ``pickle``."""

from __future__ import annotations

import pickle
from collections.abc import Mapping

from pytest_ckpt.formats.pickles import pickle_formats
from pytest_ckpt.formats.protocol import Format

__all__ = ["FORMATS"]

FORMATS: Mapping[str, Format] = pickle_formats("pickle", pickle)

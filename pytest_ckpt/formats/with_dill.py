"""``dill``, which also pickles local functions and classes."""

from __future__ import annotations

from collections.abc import Mapping

import dill

from pytest_ckpt.formats.pickles import pickle_formats
from pytest_ckpt.formats.protocol import Format

__all__ = ["FORMATS"]

FORMATS: Mapping[str, Format] = pickle_formats("dill", dill)

"""Is it the same: bit for bit, all mismatches, as data. Nothing here explains or prints."""

from pytest_ckpt.comparison.diff import Diff, Kind, Mismatch
from pytest_ckpt.comparison.walk import compare, differ

__all__ = ["Diff", "Kind", "Mismatch", "compare", "differ"]

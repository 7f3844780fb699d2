"""The classes of an installed package, each built from its signature and checked on its own."""

from __future__ import annotations

from pytest_ckpt.packages.checking import Verdict, VerdictStatus, check_class
from pytest_ckpt.packages.finding import FoundClass, Survey, survey

__all__ = ["FoundClass", "Survey", "Verdict", "VerdictStatus", "check_class", "survey"]

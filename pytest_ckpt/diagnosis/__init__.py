"""Why it is not the same: blame and advice."""

from pytest_ckpt.diagnosis.advice import advise, component_kinds
from pytest_ckpt.diagnosis.blame import Blame, find_blame, find_differences, find_hidden
from pytest_ckpt.diagnosis.suspects import picture

__all__ = ["Blame", "advise", "component_kinds", "find_blame", "find_differences", "find_hidden", "picture"]

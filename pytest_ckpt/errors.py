"""The exceptions of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ckpt.checks.outcome import Outcomes

__all__ = ["CheckpointFailure", "CkptError", "MissingDependencyError", "UsageError"]


class CkptError(Exception):
    """Base of everything this package raises on purpose, failed checks excepted."""


class UsageError(CkptError):
    """The call, the option or the run under test cannot be used as it was given."""


class MissingDependencyError(CkptError):
    """An optional package is not installed; the message holds the install command."""


class CheckpointFailure(AssertionError):
    """At least one check failed; the text is the report.

    Attributes:
        outcomes: What every check found, as data.
    """

    def __init__(self, message: str, outcomes: Outcomes) -> None:
        super().__init__(message)
        self.outcomes = outcomes

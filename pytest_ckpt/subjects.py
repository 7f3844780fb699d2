"""A run to be checked, under certain terms: what several checks share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, cast

from pytest_ckpt.checks import Check, Evidence, Outcome
from pytest_ckpt.errors import MissingDependencyError, UsageError
from pytest_ckpt.runs import MakeRun, build, isolated, require_factory
from pytest_ckpt.runs.shared_state import SharedState
from pytest_ckpt.runs.storage import storage_for
from pytest_ckpt.trips import FIRST_SEED, Plan

__all__ = ["Subject", "Terms"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """How a run is tried.

    Attributes:
        steps: Training steps of the uninterrupted run.
        at: The steps to save after and to resume from.
        ignore: Globs of paths that are carried over instead of being loaded.
        format: The format asked for; empty for the run's own way.
    """

    steps: int
    at: tuple[int, ...]
    ignore: tuple[str, ...]
    format: str


class Subject:
    """A run to be checked; its evidence is gathered when the first check asks for it.

    Attributes:
        name: The run's own name once it was made, before that the factory's.
    """

    def __init__(self, make_run: MakeRun, terms: Terms, device: str) -> None:
        self._make_run = partial(cast(Any, make_run), device=device) if device else make_run
        self._terms, self._device = terms, device
        factory = getattr(make_run, "func", make_run)
        self.name = str(getattr(factory, "__qualname__", type(factory).__qualname__))

    def judge(self, check: Check) -> Outcome:
        """Run a check on what was seen of the run.

        Raises:
            UsageError: If the run cannot be used.
        """
        try:
            evidence = self._evidence
        except MissingDependencyError as error:
            return self._skipped(check, str(error))
        if evidence.refusal is not None:
            return self._skipped(check, evidence.refusal)
        return check.run(evidence)

    def _skipped(self, check: Check, reason: str) -> Outcome:
        return Outcome(
            check=check.name, status="skipped", summary=reason, format=self._terms.format, device=self._device
        )

    @cached_property
    def _evidence(self) -> Evidence:
        require_factory(self._make_run)
        with isolated():
            shared = SharedState(self._make_run)
            run = build(shared.fresh, FIRST_SEED)
            components = run.components
        if not components:
            raise UsageError("The run has no components; name at least one stateful object.")
        self.name = run.definition.name or self.name
        trains = run.definition.step is not None
        plan = Plan(
            make_run=shared.fresh,
            steps=self._terms.steps if trains else 0,
            at=self._terms.at if trains else (0,),
            storage=storage_for(run, self._terms.format),
            ignore=self._terms.ignore,
            shared=shared,
        )
        return Evidence(plan, self._device or str(run.definition.device or ""))

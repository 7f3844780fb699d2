"""A run to be checked, under certain terms: what several checks share."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, cast

from pytest_ckpt.checks import Check, Evidence, Outcome
from pytest_ckpt.checks.newness import Luggage
from pytest_ckpt.devices import world
from pytest_ckpt.errors import MissingDependencyError, UsageError
from pytest_ckpt.formats import get_format
from pytest_ckpt.formats.registry import BUILTIN_FORMATS
from pytest_ckpt.fresh_party import MODULES
from pytest_ckpt.launchers import CannotTravel, pack, surroundings, warm_up
from pytest_ckpt.runs import MakeRun, build, isolated, require_factory, takes_device
from pytest_ckpt.runs.shared_state import SharedState
from pytest_ckpt.runs.storage import OWN, storage_for
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
        make_run: Makes it.
        terms: How it is tried.
        device: The device asked for, simulated where it is not there; empty for the run's own choice.
        explain: Whether to find out what a failure is to blame on.
        travels: Whether a check will ask what becomes of its checkpoints in new processes.
        name: The run's own name once it was made, before that the factory's.
    """

    def __init__(
        self, make_run: MakeRun, terms: Terms, device: str, *, explain: bool = True, travels: bool = False
    ) -> None:
        self.make_run = partial(cast(Any, make_run), device=device) if device else make_run
        self.terms, self.device, self.explain, self.travels = terms, device, explain, travels
        factory = getattr(make_run, "func", make_run)
        self.name = str(getattr(factory, "__qualname__", type(factory).__qualname__))
        self._judged: dict[str, Outcome] = {}
        self._simulated = False

    def but(self, make_run: MakeRun | None = None, *, explain: bool = True, **terms: Any) -> Subject:
        """Return another run, or the same one under other terms."""
        changed = replace(self.terms, **terms)
        return Subject(make_run or self.make_run, changed, self.device, explain=explain, travels=self.travels)

    def judge(self, check: Check) -> Outcome:
        """Run a check on what was seen of the run; each is run once.

        Raises:
            UsageError: If the run cannot be used.
        """
        if check.name not in self._judged:
            self._judged[check.name] = self._judge(check)
        return self._judged[check.name]

    def _judge(self, check: Check) -> Outcome:
        with world(self.device) if self.device not in ("", "cpu") else nullcontext() as here:
            if here is not None and here.kind == "tags":
                return self._skipped(check, f"{self.device} cannot be simulated here: {here.reason}.")
            self._simulated = here is not None and here.kind == "simulated"
            try:
                evidence = self.evidence
            except MissingDependencyError as error:
                return self._skipped(check, str(error))
            if evidence.refusal is not None:
                return self._skipped(check, evidence.refusal)
            outcome = check.run(evidence)
            return outcome if here is None else replace(outcome, device=here.name)

    def _skipped(self, check: Check, reason: str) -> Outcome:
        return Outcome(check=check.name, status="skipped", summary=reason, format=self.terms.format, device=self.device)

    @cached_property
    def evidence(self) -> Evidence:
        """What was seen of the run.

        Raises:
            UsageError: If the run cannot be used.
            MissingDependencyError: If the format's package is not installed.
        """
        require_factory(self.make_run)
        luggage = self._pack()
        with isolated():
            shared = SharedState(self.make_run)
            run = build(shared.fresh, FIRST_SEED)
            components = run.components
        if not components:
            raise UsageError("The run has no components; name at least one stateful object.")
        self.name = run.definition.name or self.name
        trains = run.definition.step is not None
        plan = Plan(
            make_run=shared.fresh,
            steps=self.terms.steps if trains else 0,
            at=self.terms.at if trains else (0,),
            storage=storage_for(run, self.terms.format),
            ignore=self.terms.ignore,
            shared=shared,
        )
        device = self.device or str(run.definition.device or "")
        moving = self.make_run if takes_device(self.make_run) else None
        return Evidence(plan, device, explain=self.explain, luggage=luggage, moving=moving)

    def _pack(self) -> Luggage | str:
        """Pack what new processes need, before the run is made for the first time and may change it."""
        if not self.travels:
            return "No check of processes was planned."
        if self._simulated:
            return f"{self.device} is simulated, and that in this process only."
        warm_up(MODULES)
        name = self.terms.format
        form = get_format(name) if name not in ("", OWN, *BUILTIN_FORMATS) else None
        try:
            return pack((self.make_run, form), self.name), surroundings()
        except CannotTravel as error:
            return str(error)

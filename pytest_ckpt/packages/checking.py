"""What the checks say of one class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pytest_ckpt.checks import Outcomes
from pytest_ckpt.packages.attempts import NotBuilt, try_class
from pytest_ckpt.packages.finding import FoundClass
from pytest_ckpt.packages.guarding import Refused, guarded, in_a_line
from pytest_ckpt.reporting import MISMATCH_LIMIT, outcome_lines
from pytest_ckpt.running import PlannedCheck, run_planned
from pytest_ckpt.runs import MakeRun, isolated

__all__ = ["Verdict", "VerdictStatus", "check_class"]

VerdictStatus: TypeAlias = Literal["passed", "failed", "vacuous", "undecidable", "not built"]

Plan: TypeAlias = Callable[[MakeRun, str | None], Sequence[PlannedCheck]]

_SECONDS = 120
_KEEPS_ALL = "torch-full"
_NO_VERDICT = Outcomes(items=())
_TELLING = ("state_is_restored", "resume_is_exact")
_NOTHING_TO_LOSE = "neither training nor another seed changes any state of it, so none could be lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of a class.

    Attributes:
        status: ``not built`` where no check could be applied.
        reason: Why, where it neither passed nor failed.
        how: How the class was built and called.
        outcomes: What the checks found.
    """

    status: VerdictStatus
    reason: str = ""
    how: str = ""
    outcomes: Outcomes = _NO_VERDICT

    def report(self, *, limit: int = MISMATCH_LIMIT) -> str:
        """Return how the class was built, and what the failed checks have to say."""
        texts = ["\n".join(outcome_lines(outcome, limit=limit)) for outcome in self.outcomes.failures]
        return "\n\n".join([f"Built as {self.how}.", *texts])


def check_class(found: FoundClass, plan: Plan) -> Verdict:
    """Build a class and check it; what cannot be built or brought to an end is no failure of the class.

    Args:
        found: The class.
        plan: Returns the checks of a run in the formats that are asked for or, where none are, in the given one.
    """
    built = try_class(found)
    if isinstance(built, NotBuilt):
        return Verdict(status="not built", reason=built.reason)
    try:
        with isolated(), guarded(_SECONDS):
            outcomes = run_planned(plan(built.make_run, None))
            if _is_refused(outcomes):
                # A pickled class in the state is for the user to judge; that it is kept can be seen all the same.
                outcomes = run_planned(plan(built.make_run, _KEEPS_ALL))
    except (Exception, Refused) as error:
        return Verdict(status="not built", reason=f"cannot be checked: {built.how}: {in_a_line(error)}")
    status, reason = _judged(outcomes)
    return Verdict(status=status, reason=reason, how=built.how, outcomes=outcomes)


def _is_refused(outcomes: Outcomes) -> bool:
    return len(outcomes) > 0 and all(outcome.status == "skipped" for outcome in outcomes)


def _judged(outcomes: Outcomes) -> tuple[VerdictStatus, str]:
    """Sum the outcomes up: one failure fails, and a pass takes more than checks that had nothing to see."""
    if outcomes.failures:
        return "failed", ""
    if _is_refused(outcomes):
        return "not built", f"cannot be kept: {outcomes.items[0].summary}"
    by_name = {outcome.check: outcome for outcome in outcomes}
    undecidable = {name: item.summary for name, item in by_name.items() if item.status == "undecidable"}
    if undecidable:
        return "undecidable", undecidable.get("resume_is_exact", next(iter(undecidable.values())))
    telling = [by_name[name] for name in _TELLING if name in by_name] or list(outcomes)
    # Of what has no state, a resumed run says nothing either: it goes on as any other does.
    if telling[0].status == "vacuous":
        return "vacuous", _NOTHING_TO_LOSE
    if any(outcome.status in ("pass", "expected failure") for outcome in telling):
        return "passed", ""
    return "vacuous", telling[0].summary

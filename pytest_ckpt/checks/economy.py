"""Economy: a checkpoint holds what a resumed run needs, and no more."""

from __future__ import annotations

from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.checks.judging import not_reached, outcome
from pytest_ckpt.checks.outcome import Outcome
from pytest_ckpt.checks.registry import check
from pytest_ckpt.diagnosis import Need
from pytest_ckpt.trips import count_of_steps


@check("economy")
def check_every_component_is_needed(evidence: Evidence) -> Outcome:
    """Without any one of its components, a resumed run goes on or ends in another way.

    Each component is put back to what a fresh run has, right after loading, and the run trains on. What
    changes nothing need not be saved; a project that saves it all the same leaves this check off.

    What to do: Leave the component out of the checkpoint, or train for as many steps as it takes to matter.
    """
    name = "every_component_is_needed"
    if not evidence.plan.steps:
        return outcome(evidence, name, status="skipped", summary="The run has no step=, so it cannot train on.")
    if (failure := evidence.interruption.failure) is not None:
        return not_reached(evidence, name, failure)
    found = evidence.all_needs
    if found.stopped:
        return outcome(evidence, name, status="skipped", summary=f"The run cannot be taken apart: {found.stopped}.")
    table = _table(found.components, found.hidden)
    idle = tuple(need.component for need in found.components if need.verdict == "not needed")
    if not idle:
        return outcome(evidence, name, status="pass", details=table)
    left = count_of_steps(evidence.plan.steps - found.at)
    return outcome(
        evidence,
        name,
        status="fail",
        summary=f"Saved after {count_of_steps(found.at)}, the {left} to the end are the same without {_listed(idle)}.",
        causes=idle,
        details=table,
        advice="Leave it out of the checkpoint, or train for as many steps as it takes to matter: steps=.",
    )


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _table(needs: tuple[Need, ...], hidden: tuple[str, ...]) -> tuple[str, ...]:
    rows = [("component", "restored", "a resumed run without it")]
    rows += [(need.component, "nothing" if need.verdict == "not restored" else "yes", _words(need)) for need in needs]
    rows += [(path, "no", "is the same") for path in hidden]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return tuple(f"    {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows)


def _words(need: Need) -> str:
    match need.verdict:
        case "needed":
            return "ends in another state" if need.step is None else f"parts at step({need.step})"
        case "for itself":
            return f"is the same but for {need.component}"
        case "not tried":
            return "could not be tried"
    return "is the same"

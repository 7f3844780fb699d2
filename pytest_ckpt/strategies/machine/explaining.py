"""What a finding says: what was lost, what to change, and the program that loses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from pytest_ckpt.checks import CHECKS, Evidence, Outcome, Outcomes
from pytest_ckpt.reporting import mismatch_lines
from pytest_ckpt.strategies.machine.events import Change, Overwrite, Program, Save, Train, saved_moments, steps_in
from pytest_ckpt.strategies.machine.finding import Finding
from pytest_ckpt.strategies.machine.program_text import program_text
from pytest_ckpt.strategies.machine.verdicts import Court
from pytest_ckpt.trips import count_of_steps

__all__ = ["explain"]

_SHOWN = 6
_SAME_QUESTION = {
    "state": ("state_is_restored",),
    "traits": ("traits_are_restored",),
    "over": ("loading_overwrites_everything",),
    "prediction": ("outputs_are_restored",),
    "raised": ("state_is_restored",),
}


def explain(court: Court, program: Program, finding: Finding) -> tuple[Outcomes, str]:
    """Return a finding as data, and in words with the program that shows it."""
    asked = None if _written_late(program, finding) else _asked_of_a_check(court, program, finding)
    outcome = Outcome(
        check="checkpoint_machine",
        status="fail",
        summary=_summary(finding, over=any(isinstance(event, Overwrite) for event in program)),
        mismatches=finding.mismatches,
        words=_words(finding),
        causes=asked.causes if asked else tuple(mismatch.path for mismatch in finding.mismatches),
        details=asked.details if asked else finding.failure[1:],
        advice=asked.advice if asked else _WRITE_COPIES if _written_late(program, finding) else "",
        format=court.plan.storage.name,
    )
    name = court.trial.definition.name
    late = _written_late(program, finding) and court.subject.calls.threads
    text = program_text(court.subject, program, finding, late=late, ignore=bool(court.plan.ignore))
    events = f"The program, {len(program)} events; run it as a file in your project's root:"
    return Outcomes(items=(outcome,), name=name), "\n".join([*_lines(outcome), "", events, "", text, ""])


def _saves_to_one_path(program: Program) -> tuple[int, ...]:
    """Return the steps of the last save over a checkpoint, and of the save before it."""
    place, number = max(
        (place, event.checkpoint) for place, event in enumerate(program) if isinstance(event, Overwrite)
    )
    before, after = saved_moments(program[:place])[number], saved_moments(program[: place + 1])[number]
    return steps_in(before.lineage), steps_in(after.lineage)


_WRITE_COPIES = (
    "Without the training between that save and that load it does: let save copy what it writes (a clone of each "
    "tensor) before it returns."
)


def _written_late(program: Program, finding: Finding) -> bool:
    """Whether training after a save changed what it wrote: in the shortest program no event is there for nothing."""
    after = program[program.index(Save()) :] if program.count(Save()) == 1 else ()
    return finding.kind == "state" and any(isinstance(event, Train) for event in after)


def _lines(outcome: Outcome) -> Iterator[str]:
    yield outcome.summary
    yield from mismatch_lines(outcome.mismatches[:_SHOWN], words=outcome.words)
    if rest := len(outcome.mismatches[_SHOWN:]):
        yield f"... and {rest} more"
    yield from outcome.details
    if outcome.advice:
        yield outcome.advice


def _summary(finding: Finding, *, over: bool) -> str:
    where = " over an earlier one" if over else ""
    saved = "" if finding.saved_after is None else f"saved after {count_of_steps(finding.saved_after)}{where}"
    match finding.kind:
        case "state":
            return f"Loaded into a fresh run, a checkpoint {saved} does not give back what was saved."
        case "traits":
            return f"Loading a checkpoint {saved} changed what the tensors are."
        case "over":
            return f"Loaded into a run that has trained, a checkpoint {saved} does not give back what was saved."
        case "raised":
            return f"{finding.failure[0].rstrip('.')}, which the run that never stopped does not."
        case "prediction":
            who = f"The resumed run, {saved}," if saved else "A run that saves"
            return (
                f"{who} predicts something else than the run that never stopped, after {count_of_steps(finding.step)}."
            )
        case "step":
            part = f"they part at step({finding.step - 1})"
            if saved:
                return f"The resumed run is not the run that never stopped: {saved}, {part}."
            return f"A run that saves trains differently from one that never saves: {part}."
    if saved:
        return f"The resumed run, {saved}, gets into another state than the run that never stopped."
    return "A run that saves gets into another state than one that never saves."


def _words(finding: Finding) -> tuple[str, str]:
    if finding.kind in ("state", "over", "traits"):
        return "saved", "loaded"
    return ("uninterrupted", "resumed") if finding.saved_after is not None else ("never saved", "saved")


def _asked_of_a_check(court: Court, program: Program, finding: Finding) -> Outcome | None:
    """Return what a check of the same question says, which knows more of the cause; ``None`` if it finds nothing."""
    if any(isinstance(event, Change) for event in program):
        return None
    points = (finding.saved_after,) if finding.saved_after is not None else court.plan.at
    usual: tuple[str, ...] = ("resume_is_exact", "second_resume_is_exact", "kept_weights_are_copies")
    if finding.saved_after is None:
        usual = ("saving_changes_nothing",)
    elif program.count(Save()) > 1:
        points = court.plan.at
    asked = _SAME_QUESTION.get(finding.kind, usual)
    if finding.kind != "over" and any(isinstance(event, Overwrite) for event in program):
        points, asked = _saves_to_one_path(program), ("saving_again_replaces_the_checkpoint", *asked)
    evidence = Evidence(replace(court.plan, at=points))
    with suppress(Exception):  # The finding stands without its cause.
        for name in asked:
            outcome = CHECKS[name].run(evidence)
            if outcome.failed:
                return outcome
    return None

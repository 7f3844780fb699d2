"""Verdicts in words: what was lost, both sides, when it shows, what to change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pytest_ckpt.checks import Outcome
from pytest_ckpt.golden.arrival import is_slot
from pytest_ckpt.golden.changes import Change
from pytest_ckpt.golden.condensing import condensed
from pytest_ckpt.golden.manifest import Manifest, Waiver
from pytest_ckpt.golden.remedies import remedies
from pytest_ckpt.golden.verdict import Finding, Verdict, semver

__all__ = ["CHECK", "Told", "failure", "tell"]

CHECK = "golden"
_SHOWN = 8
_FEW = 3

_LET_LOSSES_DECIDE = "A release that is kept with --ckpt-keep lets its losses decide."
_WHO = {
    "backward": "Today's code does not take the checkpoint of {of}",
    "forward": "Code of {of} does not take today's checkpoint",
}
_WHEN = {
    "refused": "It shows at the first load.",
    "step": "It shows in the first training step after the load.",
    "silent": "It shows nowhere: load says nothing, and the run goes on as another one.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What is said beside the verdict itself.

    Attributes:
        notes: For the reader, and no failure.
        expired: What to say of waivers that accept nothing any more.
    """

    notes: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()

    def outcome(self, status: Literal["pass"], *more: str) -> Outcome:
        """Return the outcome of a run whose old checkpoints are fine."""
        return Outcome(check=CHECK, status=status, notes=(*more, *self.notes))

    def change(self, changes: tuple[Change, ...], verdicts: tuple[Verdict, ...]) -> str:
        """Return what an update of a manifest changes, for the end of a line."""
        if not changes:
            return ""
        worst = _worst(verdicts)
        judged = f", {worst}: a {semver(verdicts)} release" if worst else ", not judged"
        return f": {_count(changes)}{judged}" + "".join(f"\n    {change}" for change in _shown(changes))


def tell(
    manifest: Manifest, verdicts: tuple[Verdict, ...], used: frozenset[str], today: date, notes: list[str]
) -> Told:
    """Collect what there is to say of verdicts and waivers.

    Args:
        manifest: The manifest with the waivers.
        verdicts: The verdicts, waivers applied.
        used: Globs of the waivers that name something.
        today: The day by which they expire.
        notes: What was noted on the way.
    """
    said = [*notes, *(note for verdict in verdicts for note in verdict.notes)]
    for verdict in verdicts:
        said += [
            f"Waived: {finding.path}: {finding.waiver}." for finding in verdict.findings[:_SHOWN] if finding.waiver
        ]
        undecided = [f.path for f in condensed(verdict.findings) if f.weight == "undecided"]
        if undecided and verdict.direction == "backward":
            said.append(f"Undecided: load made something else of {_few(undecided)}. {_LET_LOSSES_DECIDE}")
    expired = []
    for waiver in manifest.waivers:
        if waiver.path not in used:
            said.append(f"The waiver of {waiver.path} ({waiver.reason}) accepts nothing any more: remove it.")
        elif waiver.expired(today):
            expired.append(_expired(waiver))
    return Told(notes=tuple(dict.fromkeys(said)), expired=tuple(expired))


def _expired(waiver: Waiver) -> str:
    return f"The waiver of {waiver.path} has expired on {waiver.until}. Its reason was: {waiver.reason}."


def failure(
    verdicts: tuple[Verdict, ...], changes: tuple[Change, ...], told: Told, *, command: str = "", name: str = ""
) -> Outcome:
    """Return the outcome for old checkpoints that are not taken, or for a manifest that is behind.

    Args:
        verdicts: The verdicts, waivers applied.
        changes: What is different in form.
        told: What is said beside them.
        command: What brings the manifest up to date; empty if something breaks.
        name: What the run is called.
    """
    broken = [verdict for verdict in verdicts if verdict.breaking]
    if not broken:
        return _behind(verdicts, changes, told, command, name)
    first = broken[0]
    own = _is_own(first)
    details = [*_verdict_lines(first)]
    for other in broken[1:]:
        details.append(f"{_sentence(other)}: {_few([finding.path for finding in condensed(other.breaking)])}.")
    details += told.expired
    if not own:
        details.append(
            f"Classified: breaking ({', '.join(dict.fromkeys(v.direction for v in broken))}); "
            f"a {semver(verdicts)} release by semantic versioning."
        )
    model = next((finding.path.partition(".")[0] for finding in first.breaking if "." in finding.path), "model")
    details += remedies(first, model)
    return Outcome(
        check=CHECK,
        status="fail",
        summary=_sentence(first) + ".",
        details=tuple(details),
        causes=tuple(dict.fromkeys(finding.path for verdict in broken for finding in verdict.breaking)),
        advice="" if own else _waiver_advice(first.breaking),
        notes=told.notes,
    )


def _is_own(verdict: Verdict) -> bool:
    return any(finding.kind == "own checkpoint" for finding in verdict.breaking)


def _sentence(verdict: Verdict) -> str:
    if _is_own(verdict):
        return "Today's code does not take the checkpoint that it has just saved itself"
    of = "the form in manifest.json" if verdict.of.endswith(".json") else verdict.of
    return f"{_WHO[verdict.direction].format(of=of)}, judged by {verdict.basis}"


def _verdict_lines(verdict: Verdict) -> Iterator[str]:
    words = ("old", "new") if verdict.direction == "backward" else ("old code", "new file")
    width = max(map(len, words)) + 1
    found = condensed(verdict.breaking)
    shown = found[:_SHOWN]
    for finding in shown:
        yield f"{finding.path}: {finding.kind}"
        for word, value in zip(words, (finding.old, finding.new), strict=True):
            yield f"    {f'{word}:':<{width}} {value}"
    if rest := len(found) - len(shown):
        yield f"... and {rest} more"
    if verdict.raised:
        yield verdict.raised
        yield from verdict.where
    if verdict.direction == "backward" and not _is_own(verdict):
        yield _WHEN["step" if "step" in verdict.raised[:5] else "refused" if verdict.raised else "silent"]


def _few(paths: list[str]) -> str:
    return ", ".join(paths[:_FEW]) + (f" and {len(paths) - _FEW} more" if len(paths) > _FEW else "")


def _waiver_advice(findings: tuple[Finding, ...]) -> str:
    globs = list(dict.fromkeys(_glob(finding.path) for finding in findings))
    entries = ", ".join(f'{{"path": "{glob}", "reason": "...", "until": "YYYY-MM-DD"}}' for glob in globs[:_FEW])
    more = "" if len(globs) <= _FEW else f" and {len(globs) - _FEW} more like these"
    return f'Or, if this is on purpose, in manifest.json, for a while: "waivers": [{entries}]{more}'


def _glob(path: str) -> str:
    """Return the glob that a reader would write for a path: a layer, not each of its parameters."""
    if is_slot(path) or "param_groups[" in path:
        return path.partition("[")[0]
    return path.rpartition(".")[0] or path


def _behind(verdicts: tuple[Verdict, ...], changes: tuple[Change, ...], told: Told, command: str, name: str) -> Outcome:
    worst = _worst(verdicts)
    judged = (
        f"Classified: {worst}; a {semver(verdicts)} release by semantic versioning."
        if worst
        else "Whether other versions go along with that was not judged."
    )
    return Outcome(
        check=CHECK,
        status="fail",
        summary=f"The manifest of {name} does not describe today's checkpoint: {_count(changes)}.",
        details=(*_shown(changes), judged),
        causes=tuple(change.path for change in changes),
        advice=f"Bring it up to date and commit it: {command}",
        notes=told.notes,
    )


def _worst(verdicts: tuple[Verdict, ...]) -> str:
    order = ("compatible", "compatible with a migration", "undecided", "breaking")
    return max((verdict.classification for verdict in verdicts), key=order.index, default="")


def _count(changes: tuple[Change, ...]) -> str:
    return "one change" if len(changes) == 1 else f"{len(changes)} changes"


def _shown(changes: tuple[Change, ...]) -> tuple[str, ...]:
    # What an optimizer keeps for a parameter follows from the parameter, and components from the file.
    files_first = sorted(changes, key=lambda change: (change.where == "component", is_slot(change.state)))
    lines = [str(change) for change in files_first[:_SHOWN]]
    return (*lines, f"... and {len(changes) - _SHOWN} more") if len(changes) > _SHOWN else tuple(lines)

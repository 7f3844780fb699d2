"""Whether one version of the code takes the checkpoints of another: the verdict, as strings and numbers alone.

Nothing here runs or reads anything. What was seen comes as a :class:`Trial`, in this process or from another one with
the old code in it; what cannot be seen because the old code is not there is judged by form, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from pytest_ckpt.golden.arrival import is_slot, slot_of
from pytest_ckpt.golden.manifest import Waiver
from pytest_ckpt.paths import matches_any

__all__ = ["Basis", "Classification", "Direction", "Finding", "Verdict", "Weight", "semver", "waive"]

Direction = Literal["backward", "forward"]
"""``backward``: new code reads old files. ``forward``: old code reads new files."""

Weight = Literal["compatible", "migration", "undecided", "breaking"]
Classification = Literal["compatible", "compatible with a migration", "undecided", "breaking"]
Basis = Literal[
    "a kept checkpoint", "a checkpoint made to the manifest's form", "the form alone", "both versions' code"
]

_ORDER: tuple[Weight, ...] = ("compatible", "migration", "undecided", "breaking")
_CALLED: dict[Weight, Classification] = {
    "compatible": "compatible",
    "migration": "compatible with a migration",
    "undecided": "undecided",
    "breaking": "breaking",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is not as it was.

    Attributes:
        path: Where: a path of the state, or one into the file; ``losses``, ``load``, ``format`` or ``classes``.
        kind: What happened, in one or two words.
        old: What the reading code would have needed, or what the old side has, in words.
        new: What there is instead.
        weight: How bad it is.
        waiver: Why it is accepted; empty if it is not.
        also: Other paths by which a waiver may name it.
    """

    path: str
    kind: str
    old: str
    new: str
    weight: Weight
    waiver: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether one version of the code takes the checkpoint of another.

    Attributes:
        direction: Who reads what.
        of: What the checkpoint is called: a release, or ``manifest.json``.
        basis: What the verdict stands on.
        findings: What is not as it was; waived ones included.
        raised: What ``load`` or a training step after it raised.
        where: The last lines of its traceback.
        notes: What is worth knowing and no finding.
        renamed: Layers that seem to have another name now: old and new, for the advice.
    """

    direction: Direction
    of: str
    basis: Basis
    findings: tuple[Finding, ...] = ()
    raised: str = ""
    where: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    @property
    def breaking(self) -> tuple[Finding, ...]:
        """What breaks and is not waived."""
        return tuple(f for f in self.findings if f.weight == "breaking" and not f.waiver)

    @property
    def classification(self) -> Classification:
        """The worst of the findings; what is waived does not count."""
        weights = [finding.weight for finding in self.findings if not finding.waiver]
        return _CALLED[max(weights, key=_ORDER.index, default="compatible")]


def semver(verdicts: tuple[Verdict, ...]) -> Literal["major", "minor", "patch"]:
    """Return the part of a version number that has to rise, as https://semver.org has it; waived or not.

    Old files that are not read any more break users who only upgrade: major. New files that old code does not read, or
    a migration, are something new that the old release lacks: minor.
    """
    found = {(verdict.direction, finding.weight) for verdict in verdicts for finding in verdict.findings}
    if ("backward", "breaking") in found or ("backward", "undecided") in found:
        return "major"
    return "minor" if found else "patch"


def waive(verdict: Verdict, waivers: tuple[Waiver, ...], today: date) -> tuple[Verdict, frozenset[str]]:
    """Mark what waivers accept; an expired one accepts nothing.

    Returns:
        The verdict, and the globs of the waivers that name something in it, expired ones among them.
    """
    used: set[str] = set()
    findings = []
    for finding in verdict.findings:
        mine = [w for w in waivers if finding.weight == "breaking" and _names(w, finding)]
        used |= {waiver.path for waiver in mine}
        valid = next((waiver for waiver in mine if not waiver.expired(today)), None)
        reason = "" if valid is None else f"{valid.reason} (until {valid.until})"
        findings.append(replace(finding, waiver=reason))
    return replace(verdict, findings=tuple(findings)), frozenset(used)


def _names(waiver: Waiver, finding: Finding) -> bool:
    paths = (finding.path, *finding.also)
    # Who gives a layer up gives up what the optimizer keeps for it.
    parameters = tuple(slot_of(path) for path in paths if is_slot(path))
    glob = waiver.path
    below = (glob, glob.partition(".")[2]) if parameters else (glob,)
    return any(matches_any(path, (glob,)) for path in paths) or any(
        matches_any(parameter, tuple(filter(None, below))) for parameter in parameters
    )

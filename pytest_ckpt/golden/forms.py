"""Whether old code reads new files, judged by form alone: the old code is not there to be asked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_ckpt.golden.arrival import is_slot
from pytest_ckpt.golden.changes import KINDS, Change, changes_between
from pytest_ckpt.golden.manifest import Manifest
from pytest_ckpt.golden.verdict import Finding, Verdict, Weight

__all__ = ["judge_form"]

_GROUP = re.compile(r"param_groups\[\d+\]\.params(\[\d+\])?$")  # torch compares how many there are


def judge_form(old: Manifest, new: Manifest, *, of: str) -> Verdict:
    """Judge a new file by what an old manifest says that the old code wrote, and so expects.

    What the old file had and the new one lacks, or has in another shape, breaks. So does an entry more in a module's or
    an optimizer's state, which torch refuses unless told ``strict=False``. An entry more beside these is undecided.
    """
    roots = tuple(_roots(old))
    findings = [_finding(change, roots) for change in changes_between(old, new) if change.where != "component"]
    open_ones = [finding.path for finding in findings if finding.weight == "undecided"]
    told = f"Undecided: old code may pass over {', '.join(open_ones[:3])} or not; only running it can tell."
    notes = (told,) if open_ones else ()
    ordered = tuple(sorted(findings, key=lambda finding: is_slot(finding.path)))
    return Verdict(direction="forward", of=of, basis="the form alone", findings=ordered, notes=notes)


def _finding(change: Change, roots: tuple[str, ...]) -> Finding:
    return Finding(
        path=change.state or change.path,
        kind=KINDS[change.kind],
        old=change.old,
        new=change.new,
        weight=_weight(change, roots),
        also=(change.path,) if change.state else (),
    )


def _weight(change: Change, roots: tuple[str, ...]) -> Weight:
    if change.path == "format":
        return "undecided" if all("torch.save" in side for side in (change.old, change.new)) else "breaking"
    if change.path == "classes":
        return "undecided"
    if change.kind != "added":
        return "breaking"
    in_state = (
        is_slot(change.state) or _GROUP.search(change.path) or any(change.path.startswith(root) for root in roots)
    )
    return "breaking" if in_state else "undecided"


def _roots(manifest: Manifest) -> Iterator[str]:
    """Yield what the paths of each module's state begin with in the file."""
    modules = {name for name, part in manifest.components.items() if any(", parameter" in w for w in part.values())}
    for path, state in manifest.holds.items():
        component, _, below = state.partition(".")
        if component in modules and path.endswith(below):
            yield path.removesuffix(below)

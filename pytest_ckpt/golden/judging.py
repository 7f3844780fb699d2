"""From what happened to an old checkpoint to findings, each with its weight."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pytest_ckpt.golden.arrival import Arrival, is_slot, slot_of
from pytest_ckpt.golden.changes import KINDS, Change, changes_between, renamed_layers, same_looking
from pytest_ckpt.golden.conversions import ROUNDED
from pytest_ckpt.golden.losses import Losses
from pytest_ckpt.golden.manifest import Manifest
from pytest_ckpt.golden.trials import Trial
from pytest_ckpt.golden.values import lost_values
from pytest_ckpt.golden.verdict import Basis, Direction, Finding, Verdict, Weight

__all__ = ["judge"]

_NOTHING = "nothing"


def judge(
    written: Manifest,
    reader: Manifest,
    trial: Trial,
    own: Trial,
    *,
    direction: Direction,
    of: str,
    basis: Basis,
    losses: Losses | None = None,
) -> Verdict:
    """Judge what one version of the code made of the checkpoint of another.

    Args:
        written: The manifest of the checkpoint.
        reader: The manifest of what the reading version itself saves.
        trial: What that version made of the checkpoint.
        own: What it made of its own: what a program never restores is not lost to a new version.
        direction: Who reads what.
        of: What the checkpoint is called.
        basis: What the trial was made with.
        losses: How the losses after the load compare with those that are expected; ``None`` if none are.
    """
    losses = losses or Losses(agree=None)
    arrival = trial.arrival
    renamed = tuple(renamed_layers(changes_between(written, reader)).items())
    if own.arrival.refused or own.failure:
        findings: tuple[Finding, ...] = (_own(own),)
        return Verdict(direction=direction, of=of, basis=basis, findings=findings, where=own.where or own.arrival.where)
    if arrival.refused:
        findings = tuple(_refused(written, reader, arrival, direction))
        return _verdict(direction, of, basis, findings, renamed=renamed, raised=arrival.refused, where=arrival.where)
    if trial.failure:
        findings = (
            _raises(written, reader, trial),
            *_arrived(written, reader, arrival, own.arrival, losses, direction),
        )
        return _verdict(direction, of, basis, findings, renamed=renamed, raised=trial.failure, where=trial.where)
    findings = tuple(_arrived(written, reader, arrival, own.arrival, losses, direction))
    findings += (*_form(written, reader, findings, direction), *_other_classes(written, reader))
    fresh = any(finding.kind == "fresh" for finding in findings)
    if losses.agree is False and not fresh and not any(f.weight == "breaking" for f in findings):
        findings += (_other_losses(losses),)
    notes = tuple(_notes(losses, fresh))
    return _verdict(direction, of, basis, findings, renamed=renamed, notes=notes)


def _verdict(direction: Direction, of: str, basis: Basis, findings: tuple[Finding, ...], **others: object) -> Verdict:
    ordered = tuple(sorted(findings, key=lambda finding: is_slot(finding.path)))
    return Verdict(direction=direction, of=of, basis=basis, findings=ordered, **others)  # type: ignore[arg-type]


def _own(own: Trial) -> Finding:
    raised = own.arrival.refused or own.failure
    return Finding(path="load", kind="own checkpoint", old="loads and trains on", new=raised, weight="breaking")


def _refused(written: Manifest, reader: Manifest, arrival: Arrival, direction: Direction) -> Iterator[Finding]:
    found = [c for c in _ordered(written, reader, direction) if c.where != "component" and c.kind != "content"]
    pairs = same_looking(found)
    changes = [change for change in found if change.path not in pairs.values()]
    for change in changes:
        finding = _of_change(change, "breaking")
        yield finding if change.path not in pairs else _renamed(finding, pairs[change.path])
    if not changes:
        yield Finding(path="load", kind="refused", old="loads", new=arrival.refused, weight="breaking")


def _renamed(finding: Finding, new: str) -> Finding:
    words = f"{finding.new}, but {new} looks the same"
    return replace(finding, new=words, also=(*finding.also, new))


def _ordered(written: Manifest, reader: Manifest, direction: Direction) -> tuple[Change, ...]:
    """Return the changes from the old version to the new one, whichever of them reads."""
    return changes_between(written, reader) if direction == "backward" else changes_between(reader, written)


def _of_change(change: Change, weight: Weight) -> Finding:
    also = (change.path,) if change.state else ()
    kind = KINDS[change.kind]
    return Finding(
        path=change.state or change.path, kind=kind, old=change.old, new=change.new, weight=weight, also=also
    )


def _raises(written: Manifest, reader: Manifest, trial: Trial) -> Finding:
    others = [finding.path for finding in _other_classes(written, reader)]
    path = others[0] if others else "step"
    old, new = (m.components.get(path, {}).get("class", "trains on") for m in (written, reader))
    new = f"{new}, whose step raises" if others else trial.failure
    return Finding(path=path, kind="loads, but does not train", old=old, new=new, weight="breaking", also=("step",))


def _arrived(
    written: Manifest, reader: Manifest, arrival: Arrival, own: Arrival, losses: Losses, direction: Direction
) -> Iterator[Finding]:
    words = {state: written.leaves[path] for path, state in written.holds.items()}
    fresh = [path for path in arrival.fresh if path not in own.fresh]
    agrees = losses.agree is True and not fresh
    usual = {*own.lost, *(old for old, _ in own.crossed)}
    # What old code never had is nothing that it loses.
    new_to_it = arrival.absent if direction == "forward" else ()
    for path in arrival.lost:
        if path not in usual and not path.startswith(tuple(f"{name}{mark}" for name in new_to_it for mark in ".[")):
            yield _lost(path, words.get(path, "?"), arrival, agrees)
    gone = {name for path in arrival.lost for name in (path, path.partition(".")[2])}
    for old, new in arrival.crossed:
        if old not in usual and slot_of(old) not in gone:  # Nobody knows where the state of a lost parameter belongs.
            yield Finding(path=old, kind="at another parameter", old=old, new=new, weight="breaking")
    for old, new, how in arrival.converted:
        weight: Weight = "breaking" if how == ROUNDED else "migration"
        yield Finding(path=old, kind=how, old=words.get(old, "?"), new=new, weight=weight)
    for old, new in arrival.moved:
        if (old, new) not in own.moved:
            yield Finding(path=old, kind="under another name", old=old, new=new, weight="migration")
    yield from lost_values(written, reader, arrival, own)
    for path in fresh:
        now = reader.leaves.get(next((p for p, s in reader.holds.items() if s == path), ""), "a new tensor")
        yield Finding(path=path, kind="fresh", old=_NOTHING, new=now, weight="compatible")


def _lost(path: str, words: str, arrival: Arrival, agrees: bool) -> Finding:
    if (other := dict(arrival.overwritten).get(path)) is not None:
        return Finding(path=path, kind="lost", old=words, new=f"the content of {other}", weight="breaking")
    if path in arrival.unread:
        weight: Weight = "migration" if agrees else "undecided"
        return Finding(path=path, kind="made into something else", old=words, new="other values", weight=weight)
    if path in arrival.fresh:
        return Finding(path=path, kind="lost", old=words, new="the values it was made with", weight="breaking")
    # Nothing has its name any more. Where the losses are the same all the same, nothing needed it.
    return Finding(path=path, kind="lost", old=words, new=_NOTHING, weight="migration" if agrees else "breaking")


def _form(written: Manifest, reader: Manifest, found: tuple[Finding, ...], direction: Direction) -> Iterator[Finding]:
    """Yield what is called or written otherwise than before and arrives all the same: load translates it."""
    named = {path for finding in found for path in (finding.path, finding.new, *finding.also)}
    for change in _ordered(written, reader, direction):
        if change.where != "component" and not named & {change.path, change.state}:
            yield _of_change(change, "migration" if _translated(change, reader) else "compatible")


def _other_classes(written: Manifest, reader: Manifest) -> Iterator[Finding]:
    """Yield components of another class that take the state of the old one; a module's class is not in its state."""
    for name, old in written.components.items():
        was, now = old.get("class", ""), reader.components.get(name, {}).get("class", "")
        another = was.rpartition(".")[2] != now.rpartition(".")[2]
        if now and another and not any(", parameter" in words for words in old.values()):
            yield Finding(path=name, kind="of another class", old=was, new=now, weight="migration")


def _translated(change: Change, reader: Manifest) -> bool:
    """Whether a change of the file cannot have gone well by itself."""
    if change.where == "whole":
        return change.path != "format" or not all("torch.save" in side for side in (change.old, change.new))
    if change.kind in ("changed", "content"):
        # Memory that is shared no longer, or now, is no matter of loading.
        return len({words.partition(", shares memory")[0] for words in (change.old, change.new)}) > 1
    # torch refuses an optimizer with more groups or fewer, and whatever is looked for under another name.
    in_group = re.search(r"param_groups\[\d+\]\.params$|param_groups\[\d+\]\.params\[\d+\]$", change.path)
    named_otherwise = change.path not in reader.holds and change.state in reader.holds.values()
    return in_group is not None or (bool(change.state) and named_otherwise)


def _other_losses(losses: Losses) -> Finding:
    return Finding(
        path="losses",
        kind=f"other losses at step({losses.step}), compared {losses.conditions}",
        old=losses.expected,
        new=losses.actual,
        weight="breaking",
    )


def _notes(losses: Losses, fresh: bool) -> Iterator[str]:
    if losses.agree is False and fresh:
        yield "Losses are not judged: the run has tensors that the checkpoint does not hold."
    elif losses.agree:
        yield f"The steps after the load return what they returned when it was kept, {losses.conditions}."

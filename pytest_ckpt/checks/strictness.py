"""Strictness: nothing in the file may be missing, or be something else, unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.checks.judging import in_line, outcome
from pytest_ckpt.checks.outcome import Outcome
from pytest_ckpt.checks.registry import check, get_check
from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.edited_loads import EditedLoad, EditedLoads, try_edits
from pytest_ckpt.editing import (
    Document,
    Edit,
    casts,
    drops,
    foreign_optimizers,
    other_parameter_order,
    renames,
    reshapes,
)
from pytest_ckpt.runs.storage import OWN


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    """One kind of checkpoint that is not whole.

    Attributes:
        edits_of: Makes such checkpoints.
        words: What is wrong with them.
        nothing: What a checkpoint lacks that cannot be changed in this way.
    """

    edits_of: Callable[[Document], list[Edit]]
    words: str
    nothing: str


@check("strictness")
def check_dropped_state_is_noticed(evidence: Evidence) -> Outcome:
    """A checkpoint that lacks a file, an entry or a tensor is refused or reported by load.

    With ``strict=False``, ``checkpoint.get("optimizer")`` or ``if path.exists()`` a part whose state is gone starts
    afresh. What is saved and never read may be missing.

    What to do: Let load raise or warn: checkpoint[key] instead of .get(), a file that must exist, strict=True, or a
    look at the missing_keys that strict=False returns.
    """
    return _judge(evidence, "dropped_state_is_noticed", _DROPPED)


_DROPPED = _Kind(
    edits_of=drops,
    words="something missing",
    nothing="no entry and no tensor",
)


@check("strictness")
def check_renamed_state_is_noticed(evidence: Evidence) -> Outcome:
    """A checkpoint in which an entry or a tensor has another name is refused, reported or loaded all the same.

    A layer that was renamed since is the most common way in which a tensor is not found.

    What to do: Let load compare the names in the file with those it looks for, as strict=True does, and raise or
    warn.
    """
    return _judge(evidence, "renamed_state_is_noticed", _RENAMED)


_RENAMED = _Kind(
    edits_of=renames,
    words="something renamed",
    nothing="nothing that has a name",
)


@check("strictness")
def check_reshaped_state_is_noticed(evidence: Evidence) -> Outcome:
    """A checkpoint in which a tensor has another shape is refused or reported by load.

    Loops that skip what does not fit, copies that broadcast one row to all of them, and views that read a
    matrix in another order load something else without a word.

    What to do: Let load compare shapes before it copies, as load_state_dict does, and raise or warn.
    """
    return _judge(evidence, "reshaped_state_is_noticed", _RESHAPED)


_RESHAPED = _Kind(
    edits_of=reshapes,
    words="a tensor of another shape",
    nothing="no tensor outside of optimizer state",
)


@check("strictness")
def check_cast_state_is_noticed(evidence: Evidence) -> Outcome:
    """A checkpoint in which a tensor was rounded to another dtype is refused or reported by load.

    Both ``load_state_dict`` and ``copy_`` cast in silence, so a file in half precision passes for the real one.

    What to do: Let load compare dtypes before load_state_dict(), which casts in silence whatever strict= says, and
    raise or warn.
    """
    name = "cast_state_is_noticed"
    if evidence.plan.storage.name != OWN:
        return outcome(evidence, name, status="skipped", summary=_NO_LOAD.format("load_state_dict() casts"))
    return _judge(evidence, name, _CAST)


_NO_LOAD = "The run has no load of its own that could look, and torch's {} in silence."
_CAST = _Kind(
    edits_of=casts,
    words="a tensor of another dtype",
    nothing="no tensor outside of optimizer state that a narrower dtype would change",
)


@check("strictness")
def check_foreign_optimizer_is_refused(evidence: Evidence) -> Outcome:
    """A checkpoint with the optimizer state of fewer, more or larger parameters is refused or reported by load.

    A loop over the saved state that ends with the shorter of two lists trains on with half of the moments.

    What to do: Give the whole state to optimizer.load_state_dict(), which compares groups and numbers of parameters,
    and let through what it raises.
    """
    return _judge(evidence, "foreign_optimizer_is_refused", _FOREIGN)


_FOREIGN = _Kind(
    edits_of=foreign_optimizers,
    words="the state of another optimizer",
    nothing="no state dict of an optimizer",
)


@check("strictness")
def check_optimizer_state_follows_names(evidence: Evidence) -> Outcome:
    """Optimizer state that was saved for parameters in another order is refused, reported or given to its own ones.

    By default torch matches it by position, also where the file holds ``param_names``: two layers of one shape
    that changed places since go on with each other's moments.

    What to do: Make the optimizer with model.named_parameters(), so that its state holds param_names, and let load
    compare them before optimizer.load_state_dict(), which goes by position.
    """
    name = "optimizer_state_follows_names"
    if evidence.plan.storage.name != OWN:
        return outcome(evidence, name, status="skipped", summary=_NO_LOAD.format("optimizers go by position"))
    return _judge(evidence, name, _REORDERED)


_REORDERED = _Kind(
    edits_of=other_parameter_order,
    words="optimizer state in another order",
    nothing="no two parameters of one shape with different optimizer state",
)


def _judge(evidence: Evidence, name: str, kind: _Kind) -> Outcome:
    found = try_edits(evidence.plan, kind.edits_of)
    if found.refusal:
        return outcome(evidence, name, status="skipped", summary=found.refusal)
    if not found.tried:
        summary = f"As far as it consists of plain containers, the checkpoint holds {kind.nothing}."
        return outcome(evidence, name, status="skipped", summary=summary)
    unnoticed = [edit for edit in found.tried if _losses(edit)]
    notes = _notes(found, unnoticed, kind)
    failing = [edit for edit in unnoticed if not edit.lenient]
    if failing:
        return outcome(
            evidence,
            name,
            status="fail",
            summary=f"load took {len(failing)} of {len(found.tried)} copies of the checkpoint with {kind.words} "
            "without a word: no error, no warning, no message.",
            causes=tuple(edit.path for edit in failing),
            details=("In the file -> in the loaded run:", *map(_in_line, failing)),
            advice=get_check(name).remedy,
            notes=notes,
        )
    if not any(edit.noticed or edit.lost for edit in found.tried):
        summary = f"No copy of the checkpoint with {kind.words} made a difference, so nothing was there to notice."
        return outcome(evidence, name, status="vacuous", summary=summary)
    return outcome(evidence, name, status="pass", notes=notes)


def _losses(edit: EditedLoad) -> list[Mismatch]:
    """Return what was lost in silence; the names themselves are nothing that training needs."""
    return [] if edit.noticed else [mismatch for mismatch in edit.lost if ".param_names" not in mismatch.path]


def _in_line(edit: EditedLoad) -> str:
    first, *others = _losses(edit)
    more = f" ({len(others)} more difference{'s' if len(others) > 1 else ''})" if others else ""
    return f"    {edit.path} {edit.change} -> {in_line(first)}{more}"


def _notes(found: EditedLoads, unnoticed: list[EditedLoad], kind: _Kind) -> tuple[str, ...]:
    notes = list(found.notes)
    for reason in dict.fromkeys(edit.lenient for edit in unnoticed if edit.lenient):
        paths = [edit.path for edit in unnoticed if edit.lenient == reason]
        notes.append(f"Not held against load, since {reason}: {_shortened(paths)}.")
    if kind is _DROPPED:  # the check that asks about each file and entry
        notes += [f"Only looked at as a whole: {unread}." for unread in found.unread]
        if idle := [edit.path for edit in found.tried if not edit.noticed and not edit.lost]:
            notes.append(f"Saved and never read, or the same in a fresh run: {_shortened(idle)}.")
    if found.left_out:
        notes.append(f"Tried {len(found.tried)} changes; {found.left_out} more were not tried.")
    return tuple(notes)


def _shortened(paths: list[str]) -> str:
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")

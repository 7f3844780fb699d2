"""Checkpoints with one thing in them changed, and what ``load`` makes of each."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from typing import Any

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.diagnosis import picture
from pytest_ckpt.editing import Codec, Document, Edit, read_saved
from pytest_ckpt.runs import build
from pytest_ckpt.runs.hearing import Heard, listening
from pytest_ckpt.runs.storage import RANDOM_STATE
from pytest_ckpt.spine import load_into, save_on_the_way
from pytest_ckpt.trips import CallFailed, Plan, SavedRun, fresh_seed, stage, workspace

__all__ = ["EditedLoad", "EditedLoads", "try_edits"]

_MOST = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class EditedLoad:
    """What became of one edit.

    Attributes:
        path: The place in the checkpoint.
        change: What was done there.
        noticed: What load, or the training after it, said; empty if it said nothing.
        lost: How the loaded run differs from one that loads the whole checkpoint.
        lenient: Why a correct load may take the edit in silence; empty if it may not.
    """

    path: str
    change: str
    noticed: str = ""
    lost: tuple[Mismatch, ...] = ()
    lenient: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EditedLoads:
    """What became of all edits of one kind.

    Attributes:
        tried: The edits.
        left_out: How many more there were.
        refusal: Why none could be tried; empty if that was possible.
        notes: Which edits could not be written, and why.
        unread: Which files could not be read, and why.
    """

    tried: tuple[EditedLoad, ...] = ()
    left_out: int = 0
    refusal: str = ""
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def try_edits(plan: Plan, edits_of: Callable[[Document], list[Edit]]) -> EditedLoads:
    """Save once, and load the checkpoint once for each edit, into a fresh run of the same seed.

    Args:
        plan: What to run; saved after the last of its steps to resume from.
        edits_of: Returns the edits of a checkpoint; at most 60 are tried, of each component its share.
    """
    at = plan.at[-1]
    with workspace() as directory:
        try:
            saved = save_on_the_way(replace(plan, steps=at, at=(at,)), directory)
            bench = _Bench(plan, saved)
        except CallFailed as failure:
            return EditedLoads(refusal=f"{failure}.")
        if refusal := bench.refusal():
            return EditedLoads(refusal=refusal)
        edits = [edit for edit in edits_of(bench.document) if not edit.path.startswith(RANDOM_STATE)]
        chosen = {id(edit) for edit in islice(_spread(edits), _MOST)}
        tried = [bench.attempt(edit) for edit in edits if id(edit) in chosen]
        return EditedLoads(
            tried=tuple(found for found in tried if found is not None),
            left_out=len(edits) - len(chosen),
            notes=tuple(bench.notes),
            unread=bench.unread,
        )


def _spread(edits: list[Edit]) -> Iterator[Edit]:
    """Yield edits so that each component has its turn."""
    groups = defaultdict(list)
    for edit in edits:
        groups[edit.path.partition(".")[0]].append(edit)
    return (edit for turn in zip_longest(*groups.values()) for edit in turn if edit is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Loaded:
    """A run that has loaded: what load said, what it is, what it did then."""

    heard: Heard
    state: dict[str, Any]
    training: dict[str, Any]


class _Bench:
    """A checkpoint that is changed in place, and what loading it gives when it is whole.

    Attributes:
        document: The checkpoint.
        unread: Which files could not be read, and why.
        notes: Which edits could not be written, and why.
    """

    def __init__(self, plan: Plan, saved: SavedRun) -> None:
        self._plan, self._saved, self._at = plan, saved, plan.at[-1]
        self._volatile: set[str] = set()
        self._usual, self._again = self._load(), self._load()
        self._note_volatile(self._again)
        path = saved.paths[self._at]
        self._folder, form = path.parent, plan.storage.form
        self._backup = self._folder.with_name(f"{self._folder.name}-backup")
        shutil.copytree(self._folder, self._backup, symlinks=True)
        codec = None if form is None else Codec(name=form.name, read=form.load, write=form.save)
        self.document = read_saved(path, codec)
        files = self.document.files.items()
        self.unread = tuple(f"{name or path.name}: {f.reason}" for name, f in files if f.codec is None)
        self.notes: list[str] = []

    def refusal(self) -> str:
        """Write everything back unchanged; return why that cannot be done or loaded as before, or nothing."""
        if not self.document.readable:
            reasons = "; ".join(self.unread) or "save(path) wrote no file into the directory of path"
            return f"The checkpoint cannot be edited: {reasons}."
        copies = {name: replace(file) for name, file in self.document.files.items()}
        try:
            with self._edited(replace(self.document, files=copies)):
                loaded = self._load()
        except Exception as error:
            return f"The checkpoint cannot be edited: written back unchanged, {_words(error)}."
        if self._differences(loaded):
            self._note_volatile(self._load())  # What differs now and then need not have done so in the first two.
        if found := self._differences(loaded):
            return f"The checkpoint cannot be edited: written back unchanged, it loads another {found[0].path}."
        return ""

    def attempt(self, edit: Edit) -> EditedLoad | None:
        """Make one edit, load, compare, and put the checkpoint back; ``None`` if the edit cannot be written."""
        tried = EditedLoad(path=edit.path, change=edit.change, lenient=edit.lenient)
        try:
            with self._edited(edit.apply(self.document)):
                loaded = self._load()
                lost = self._differences(loaded)
                again = {mismatch.path for mismatch in self._differences(self._load())} if lost else set()
        except CallFailed as failure:
            return replace(tried, noticed=str(failure))
        except Exception as error:
            self.notes.append(f"Not tried: {edit.path}, {edit.change}: {_words(error)}.")
            return None
        if said := loaded.heard.beyond(self._usual.heard, self._again.heard):
            return replace(tried, noticed=f"load(path) {said}")
        return replace(tried, lost=tuple(mismatch for mismatch in lost if mismatch.path in again))

    @contextmanager
    def _edited(self, document: Document) -> Iterator[None]:
        try:
            document.write_over(self.document)
            yield
        finally:
            shutil.rmtree(self._folder)
            shutil.copytree(self._backup, self._folder, symlinks=True)

    def _load(self) -> _Loaded:
        """Load what is on disk into a fresh run, always under the same seed, and train it on.

        Raises:
            CallFailed: If the project's code raises.
        """
        at, storage = self._at, self._plan.storage
        run = build(self._plan.make_run, fresh_seed(at))
        with listening() as heard:
            plan = replace(
                self._plan,
                storage=replace(storage, load=lambda run, path: heard.returned(storage.load(run, path))),
            )
            load_into(plan, run, self._saved, at)
        state = picture(run)
        with stage(f"load(path) said nothing, and step({at}) or a later one"):
            records = {f"step({at + i})": record for i, record in enumerate(run.train(self._plan.steps))}
        return _Loaded(heard=heard, state=state, training={**records, **picture(run)})

    def _note_volatile(self, other: _Loaded) -> None:
        """Leave out from now on what differs between two runs that loaded the same."""
        self._volatile |= {_list_of(mismatch.path) for mismatch in self._differences(other)}

    def _differences(self, other: _Loaded) -> tuple[Mismatch, ...]:
        """Return how a loaded run differs from the one that loaded the whole checkpoint, or else how it trains."""
        for name in ("state", "training"):
            diff = compare(getattr(self._usual, name), getattr(other, name), traits=False)
            # A plain container is pictured under a name of no letters, its entries and their order apart.
            named = (replace(mismatch, path=mismatch.path.replace("..", ".")) for mismatch in diff)
            if found := {m.path: m for m in named if _list_of(m.path) not in self._volatile}:
                return tuple(found.values())
        return ()


def _list_of(path: str) -> str:
    """Return the path without positions at its end: a list that grows with each load differs elsewhere each time."""
    return re.sub(r"(\[\d+\])+$", "", path)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, CallFailed) else f"{type(error).__name__}: {error}"

"""How edits are tried: one at a time, on the checkpoint in its place; and when that cannot be."""

from __future__ import annotations

import ctypes
import hashlib
import json
import pickle
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo_good import trainer_with_its_own_files
from zoo_parts import batch, fit, mlp

from pytest_ckpt import TrainingRun
from pytest_ckpt.edited_loads import EditedLoads, try_edits
from pytest_ckpt.editing import Document, Edit, drops, foreign_optimizers
from pytest_ckpt.runs import MakeRun
from pytest_ckpt.runs.storage import own_storage
from pytest_ckpt.trips import Plan


def tried(make_run: MakeRun, edits_of: Callable[[Document], list[Edit]] = drops) -> EditedLoads:
    return try_edits(Plan(make_run=make_run, steps=4, at=(1, 3), storage=own_storage()), edits_of)


class Trainer:
    """A model that is saved with a number of its own; a subclass changes how."""

    def __init__(self) -> None:
        self.model = mlp()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)

    def step(self, i: int) -> float:
        return fit(self.model, self.optimizer, batch(i))

    def state(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def save(self, path: Path) -> None:
        torch.save(self.state(), path)

    def load(self, path: Path) -> object:
        return self.restore(torch.load(path))

    def restore(self, state: Any) -> object:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        return None


def run_of(trainer: Callable[[], Trainer]) -> Callable[[], TrainingRun]:
    def make_run() -> TrainingRun:
        made = trainer()
        components = {"model": made.model, "optimizer": made.optimizer}
        return TrainingRun(components=components, step=made.step, save=made.save, load=made.load)

    return make_run


def by_path(found: EditedLoads) -> dict[str, str]:
    return {edit.path: edit.noticed for edit in found.tried}


def test_what_load_raises_is_noticed() -> None:
    found = by_path(tried(run_of(Trainer)))

    assert found["optimizer"] == "load(path) raised KeyError: 'optimizer'"
    assert found["model.0.bias"].startswith("load(path) raised RuntimeError: Error(s) in loading state_dict")


def test_what_the_next_training_step_raises_is_noticed_too() -> None:
    """Adam takes state without moments and misses them when it steps."""
    found = by_path(tried(run_of(Trainer)))

    assert found["optimizer.state[0].exp_avg"] == (
        "load(path) said nothing, and step(3) or a later one raised KeyError: 'exp_avg'"
    )


def test_what_load_says_is_noticed() -> None:
    class Warning(Trainer):
        def restore(self, state: Any) -> object:
            if "optimizer" not in state:
                warnings.warn("no optimizer", stacklevel=1)
                return self.model.load_state_dict(state["model"])
            return super().restore(state)

    assert by_path(tried(run_of(Warning)))["optimizer"] == "load(path) warned: UserWarning: no optimizer"


def test_what_load_returns_is_noticed() -> None:
    class Returning(Trainer):
        def restore(self, state: Any) -> object:
            self.optimizer.load_state_dict(state["optimizer"])
            return self.model.load_state_dict(state["model"], strict=False)

    assert by_path(tried(run_of(Returning)))["model.0.bias"] == "load(path) returned: '0.bias'"


def test_a_format_may_be_refused_in_words_of_the_project_and_the_run_go_on() -> None:
    found = tried(run_of(Trainer), foreign_optimizers)

    assert [edit.change for edit in found.tried if not edit.noticed] == []


class Noting(Trainer):
    """Notes what each load finds in the file."""

    seen: list[list[str]]

    def restore(self, state: Any) -> object:
        self.seen.append([*state, *state.get("model", ())])
        return super().restore(state)


def test_the_checkpoint_is_whole_again_before_the_next_edit() -> None:
    Noting.seen = []

    tried(run_of(Noting), lambda document: [edit for edit in drops(document) if edit.path in ("model", "model.0.bias")])

    whole = ["model", "optimizer", "0.weight", "0.bias", "2.weight", "2.bias"]
    usual, again, rewritten = [whole] * 3
    assert Noting.seen == [
        usual,
        again,
        rewritten,
        ["optimizer"],
        [name for name in whole if name != "0.bias"],
    ]


def test_a_load_that_never_gives_the_same_is_not_held_against_the_edit() -> None:
    class Timed(Trainer):
        def restore(self, state: Any) -> object:
            self.loaded_at = time.perf_counter_ns()
            print(f"loaded in {self.loaded_at} ns")
            return super().restore({"optimizer": self.optimizer.state_dict(), **state})

    found = tried(run_of(Timed))

    assert {edit.path: [m.path for m in edit.lost][:1] for edit in found.tried if not edit.noticed} == {
        "optimizer": ["optimizer.state[0.weight]"]
    }


def test_a_load_that_gives_something_else_later_on_can_still_be_tried() -> None:
    class Warm(Trainer):
        """The third load finds a cache."""

        loads = 0

        def restore(self, state: Any) -> object:
            Warm.loads += 1
            self.cached = Warm.loads > 2
            return super().restore(state)

    found = tried(run_of(Warm))

    assert found.refusal == ""
    assert [edit.path for edit in found.tried if edit.lost] == []


def test_what_only_training_shows_is_lost_as_well() -> None:
    class Native(Trainer):
        """A counter that no walk over python objects sees."""

        def __init__(self) -> None:
            super().__init__()
            self.count = ctypes.c_long(0)

        def step(self, i: int) -> float:
            self.count.value += 1
            return super().step(i) * self.count.value

        def state(self) -> dict[str, Any]:
            return {**super().state(), "count": self.count.value}

        def restore(self, state: Any) -> object:
            self.count.value = state.get("count", 0)
            return super().restore(state)

    (edit,) = [edit for edit in tried(run_of(Native)).tried if edit.path == "count"]

    assert [mismatch.path for mismatch in edit.lost] == ["step(3).output"]


def test_at_most_sixty_edits_are_tried_and_each_component_has_its_share() -> None:
    def make_run() -> TrainingRun:
        trainer = Trainer()
        trainer.model = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(50)))
        extra = torch.nn.Linear(2, 2)

        def save(path: Path) -> None:
            torch.save({"model": trainer.model.state_dict(), "extra": extra.state_dict()}, path)

        def load(path: Path) -> None:
            found = torch.load(path)
            trainer.model.load_state_dict(found["model"])
            extra.load_state_dict(found["extra"])

        return TrainingRun(components={"model": trainer.model, "extra": extra}, save=save, load=load)

    found = try_edits(Plan(make_run=make_run, steps=0, at=(0,), storage=own_storage()), drops)

    assert (len(found.tried), found.left_out) == (60, 44)
    paths = [edit.path for edit in found.tried]
    assert paths[:4] == ["model", "extra", "model.0.weight", "model.0.bias"]
    assert paths[-2:] == ["extra.weight", "extra.bias"]


class Checksum(Trainer):
    def save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(self.state(), protocol=2))
        path.with_suffix(".sha").write_text(hashlib.sha256(path.read_bytes()).hexdigest())

    def load(self, path: Path) -> object:
        if path.with_suffix(".sha").read_text() != hashlib.sha256(path.read_bytes()).hexdigest():
            raise ValueError("damaged")
        return self.restore(pickle.loads(path.read_bytes()))


class Refusing(Trainer):
    def load(self, path: Path) -> object:
        raise ValueError("wrong version")


class Elsewhere(Trainer):
    kept: dict[str, Any]

    def save(self, path: Path) -> None:
        Elsewhere.kept = self.state()

    def load(self, path: Path) -> object:
        return self.restore(Elsewhere.kept)


class Text(Trainer):
    def save(self, path: Path) -> None:
        path.write_text("weights: " + json.dumps([p.tolist() for p in self.model.parameters()]))

    def load(self, path: Path) -> object:
        values = json.loads(path.read_text().removeprefix("weights: "))
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), values, strict=True):
                parameter.copy_(torch.tensor(value))
        return None


class Counted(Trainer):
    """Two pickles in one file, of which the first is all that can be read."""

    def save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(self.state()) + pickle.dumps({"steps": 3}))

    def load(self, path: Path) -> object:
        with path.open("rb") as file:
            self.restore(pickle.load(file))
            self.steps = pickle.load(file)["steps"]
        return None


@pytest.mark.parametrize(
    ("trainer", "refusal"),
    [
        (Refusing, "load(path) raised ValueError: wrong version."),
        (
            Checksum,
            "The checkpoint cannot be edited: written back unchanged, load(path) raised ValueError: damaged.",
        ),
        (
            Elsewhere,
            "The checkpoint cannot be edited: save(path) wrote no file into the directory of path.",
        ),
        (
            Text,
            "The checkpoint cannot be edited: checkpoint.pt: its format is none that can be edited.",
        ),
        (
            Counted,
            "The checkpoint cannot be edited: written back unchanged, load(path) raised EOFError: Ran out of input.",
        ),
    ],
)
def test_a_checkpoint_that_cannot_be_edited_says_why(trainer: type[Trainer], refusal: str) -> None:
    found = tried(run_of(trainer))

    assert (found.refusal, found.tried) == (refusal, ())


def test_a_run_that_cannot_be_saved_says_why() -> None:
    class Unsaved(Trainer):
        def save(self, path: Path) -> None:
            raise PermissionError("read-only")

    assert tried(run_of(Unsaved)).refusal == "save(path) after 3 steps raised PermissionError: read-only."


def test_an_edit_that_cannot_be_written_is_named_and_the_others_are_tried() -> None:
    def edits_of(document: Document) -> list[Edit]:
        unwritable = (number for number in range(1))
        bad = Edit(path="model", change="nonsense", apply=lambda d: d.with_content("", {"model": unwritable}))
        return [bad, *drops(document)[:1]]

    found = tried(trainer_with_its_own_files, edits_of)

    assert [edit.path for edit in found.tried] == ["model"]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("Not tried: model, nonsense: TypeError: cannot pickle 'generator' object")

"""What a report says beyond its first lines: how much came back, what is to blame, and what else happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_program import Clock, Program, factory

from pytest_ckpt import Outcome, TrainingRun, UsageError, check_training_run
from pytest_ckpt.checks.registry import get_check


def outcome_of(make_run: Any, check: str, **options: Any) -> Outcome:
    return check_training_run(make_run, select=[check], raise_on_failure=False, **options)[check]


class Layers:
    """As many weights as asked for, all of which move; load brings some of them back."""

    def __init__(self, count: int, restored: int) -> None:
        self.model = torch.nn.ParameterList([torch.nn.Parameter(torch.rand(2)) for _ in range(count)])
        self.restored = restored

    def step(self, i: int) -> float:
        with torch.no_grad():
            for parameter in self.model:
                parameter += 1
        return float(i)

    def save(self, path: Path) -> None:
        torch.save(self.model.state_dict(), path)

    def load(self, path: Path) -> None:
        kept = dict(list(torch.load(path).items())[: self.restored])
        self.model.load_state_dict(kept, strict=False)


def layers(count: int, restored: int) -> Any:
    def make_run() -> TrainingRun:
        made = Layers(count, restored)
        return TrainingRun(components={"model": made.model}, step=made.step, save=made.save, load=made.load)

    return make_run


@pytest.mark.parametrize(
    ("count", "restored", "sentence"),
    [
        (4, 0, "None of the 4 tensors of model came back."),
        (4, 1, "Only 1 of the 4 tensors of model came back."),
        (5, 2, "Only 2 of the 5 tensors of model came back."),
        (2, 0, "None of the 2 tensors of model came back."),
    ],
)
def test_most_of_a_model_is_lost(count: int, restored: int, sentence: str) -> None:
    outcome = outcome_of(layers(count, restored), "state_is_restored", steps=2)

    assert outcome.status == "fail"
    assert outcome.details[-1] == sentence


@pytest.mark.parametrize(("count", "restored"), [(4, 2), (4, 3), (1, 0)])
def test_where_half_of_a_model_is_back_its_tensors_say_enough(count: int, restored: int) -> None:
    outcome = outcome_of(layers(count, restored), "state_is_restored", steps=2, at=[1])

    assert outcome.status == "fail"
    assert outcome.details == ()


def test_the_causes_of_a_loss_are_components() -> None:
    outcome = outcome_of(layers(3, 1), "state_is_restored", steps=2)

    assert outcome.causes == ("model",)
    assert [mismatch.path for mismatch in outcome.mismatches] == ["model.1", "model.2"]


@pytest.mark.parametrize(
    ("lost", "beginning"),
    [(19, "Check that load gives model.0 to model.load_state_dict("), (20, "Save model.state_dict() and give it to ")],
)
def test_many_tensors_are_one_loss(lost: int, beginning: str) -> None:
    assert outcome_of(layers(lost, 0), "state_is_restored", steps=2).advice.startswith(beginning)


class RefusesToBeSavedOver(Program):
    """The second save leaves half a file."""

    def save(self, path: Path) -> None:
        if path.exists():
            path.write_bytes(path.read_bytes()[:10])
        else:
            super().save(path)


def test_a_checkpoint_that_a_second_save_breaks() -> None:
    outcome = outcome_of(factory(RefusesToBeSavedOver), "saving_again_replaces_the_checkpoint", steps=3)

    assert outcome.status == "fail"
    assert outcome.summary.startswith(
        "Saved after 2 steps over the checkpoint saved after 1 step, it cannot be used: load(path) raised "
    )
    assert outcome.causes == ()
    assert any("tiny_program.py" in line for line in outcome.details)


class Appends(Program):
    def save(self, path: Path) -> None:
        super().save(path)
        with path.with_suffix(".log").open("a") as file:
            print(self.count, file=file)

    def load(self, path: Path) -> None:
        super().load(path)
        self.count = int(path.with_suffix(".log").read_text().splitlines()[0])


def test_what_an_earlier_checkpoint_spoils_is_the_cause() -> None:
    outcome = outcome_of(factory(Appends), "saving_again_replaces_the_checkpoint", steps=3)

    assert outcome.causes == ("Appends.count",)
    assert [mismatch.path for mismatch in outcome.mismatches] == ["output"]


class SavesInPlace(Program):
    """A save that leaves its mark on nine attributes, of which the last tensors are trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.marks = [0] * 9
        self.pending: Any = None

    def step(self, i: int) -> float:
        loss = super().step(i)
        if self.marks[0]:
            with torch.no_grad():
                self.model.weight += 1
        return loss

    def save(self, path: Path) -> None:
        super().save(path)
        for index in range(9):
            setattr(self, f"mark_{index}", 1)
        self.marks[0] = 1
        vars(self).pop("pending", None)  # None, or not there: the same


def test_what_a_save_changes_is_listed_and_to_blame() -> None:
    outcome = outcome_of(factory(SavesInPlace), "saving_changes_nothing", steps=3)

    assert outcome.status == "fail"
    assert outcome.summary == "A run that saves trains differently from one that never saves: they part at step(1)."
    assert len(outcome.details) == 6
    assert len(outcome.causes) == 10
    assert "SavesInPlace.marks[0]" in outcome.causes


class ChangesTheEnd(Program):
    """The last save moves a weight that no later step reports."""

    def save(self, path: Path) -> None:
        super().save(path)
        if self.count == 2:
            with torch.no_grad():
                self.model.weight += 1

    def step(self, i: int) -> float:
        super().step(i)
        return 0.0


def test_a_save_that_changes_only_the_end() -> None:
    outcome = outcome_of(factory(ChangesTheEnd), "saving_changes_nothing", steps=3)

    assert outcome.summary == (
        "A run that saves trains differently from one that never saves: they end in different states."
    )


def test_a_check_is_found_by_its_name_and_a_close_one_is_suggested() -> None:
    assert get_check("resume_is_exact").name == "resume_is_exact"
    with pytest.raises(UsageError, match=r"No check is called 'resume_is_exac'. Did you mean 'resume_is_exact'\?"):
        get_check("resume_is_exac")


def test_what_changes_by_itself_is_not_laid_to_a_save() -> None:
    def make_run() -> TrainingRun:
        program = SavesInPlace()
        components = {"model": program.model, "optimizer": program.optimizer, "clock": Clock()}
        return TrainingRun(components=components, step=program.step, save=program.save, load=program.load)

    outcome = outcome_of(make_run, "saving_changes_nothing", steps=3)

    assert outcome.status == "fail"
    assert not [path for path in outcome.causes if "clock" in path]


class WritesMore(Program):
    """Seven entries that no load reads."""

    def state(self) -> dict[str, Any]:
        return {**super().state(), **{f"extra_{index}": index for index in range(7)}}


def test_what_is_saved_and_never_read_is_listed_and_cut_short() -> None:
    outcome = outcome_of(factory(WritesMore), "dropped_state_is_noticed", steps=3)

    shown = ", ".join(f"extra_{index}" for index in range(5))
    assert f"Saved and never read, or the same in a fresh run: {shown} and 2 more." in outcome.notes


def test_five_that_are_never_read_are_listed_in_full() -> None:
    class WritesFive(Program):
        def state(self) -> dict[str, Any]:
            return {**super().state(), **{f"extra_{index}": index for index in range(5)}}

    outcome = outcome_of(factory(WritesFive), "dropped_state_is_noticed", steps=3)

    shown = ", ".join(f"extra_{index}" for index in range(5))
    assert f"Saved and never read, or the same in a fresh run: {shown}." in outcome.notes


def test_a_run_whose_training_changes_nothing_has_nothing_to_resume() -> None:
    def make_run() -> TrainingRun:
        return TrainingRun(components={"model": torch.nn.Linear(1, 1)}, step=lambda i: 0.0)

    outcome = outcome_of(make_run, "second_resume_is_exact")

    assert (outcome.status, outcome.summary) == ("vacuous", "Nothing changed during training.")


def test_a_pass_has_no_summary() -> None:
    assert outcome_of(factory(Program), "second_resume_is_exact").summary == ""


def test_the_longest_name_of_a_component_is_to_blame() -> None:
    """One component is called like a part of another one."""

    def make_run() -> TrainingRun:
        parts = {"net": torch.nn.Linear(1, 1), "net.head": torch.nn.Linear(1, 1)}

        def step(i: int) -> float:
            with torch.no_grad():
                for part in parts.values():
                    part.weight += 1
            return float(i)

        def save(path: Path) -> None:
            torch.save(parts["net"].state_dict(), path)

        def load(path: Path) -> None:
            parts["net"].load_state_dict(torch.load(path))

        return TrainingRun(components=parts, step=step, save=save, load=load)

    assert outcome_of(make_run, "state_is_restored", steps=2).causes == ("net.head",)


class SecondResumeForgets(Program):
    """Saves the count of this process, not of the run."""

    def __init__(self) -> None:
        super().__init__()
        self.here = 0

    def step(self, i: int) -> float:
        self.here += 1
        return super().step(i)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "count": self.here}


def test_what_a_second_resume_loses_is_to_blame() -> None:
    outcome = outcome_of(factory(SecondResumeForgets), "second_resume_is_exact")

    assert outcome.status == "fail"
    assert "SecondResumeForgets.count" in outcome.causes
    assert outcome.details[0] == "Differs after the second load:"
    assert outcome.mismatches[0].path == "output"


@pytest.mark.parametrize(
    "glob",
    [
        "rng.torch",
        "model",
        "model.weight",
        "optimizer.param_groups",
        "optimizer.state[weight]",
        "model.seen",
        "opt*momentum",
    ],
)
def test_a_glob_of_what_there_is_is_carried_over(glob: str) -> None:
    def make_run() -> TrainingRun:
        made = factory(Program)()
        made.components["model"].register_buffer("seen", torch.zeros(1), persistent=False)  # type: ignore[index]
        return made

    notes = outcome_of(make_run, "state_is_restored", ignore=[glob], steps=3).notes

    assert f"Carried over instead of loaded: {glob}." in notes
    assert not [note for note in notes if note.startswith("Nothing is called")]


def test_globs_of_nothing_are_told_together() -> None:
    notes = outcome_of(factory(Program), "state_is_restored", ignore=["modle", "rgn.*"], steps=3).notes

    assert "Nothing is called modle or rgn.*, so nothing was carried over for it." in notes
    assert not [note for note in notes if note.startswith("Carried over")]


def test_outcomes_are_short_where_a_shell_shows_them() -> None:
    outcomes = check_training_run(factory(Program), select=["fidelity"])
    nameless = check_training_run(lambda: torch.nn.Linear(1, 1), select=["state_is_restored", "outputs_are_restored"])

    assert repr(outcomes) == "<Outcomes of tiny: 4 pass>"
    assert repr(nameless) == "<Outcomes of Linear: 1 pass, 1 skipped>"
    assert repr(type(outcomes)(items=())) == "<Outcomes of a run: none>"

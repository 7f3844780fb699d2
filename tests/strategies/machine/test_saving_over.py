"""A checkpoint that is saved over another is the later one, for programs that keep one path for their latest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from pytest_ckpt import CheckpointFailure, TrainingRun
from pytest_ckpt.strategies import checkpoint_machine
from pytest_ckpt.strategies.machine.events import Overwrite, Program, Restart, Save, StartOver, Train
from pytest_ckpt.strategies.machine.verdicts import Court

STEP, LATEST, AGAIN = Train(steps=1), Restart(checkpoint=0), Overwrite(checkpoint=0)
TWICE: Program = (STEP, Save(), STEP, AGAIN, LATEST, STEP)


class Trainer:
    """Writes its weights to a file and its position to another."""

    def __init__(self) -> None:
        self.model = torch.nn.Linear(2, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.position = 0

    def step(self, i: int) -> float:
        self.optimizer.zero_grad()
        loss = (self.model(torch.full((1, 2), float(self.position))) - 1).square().sum()
        loss.backward()
        self.optimizer.step()
        self.position += 1
        return float(loss.item())

    def save(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        torch.save(self.model.state_dict(), path / "model.pt")
        self.write(path)

    def write(self, path: Path) -> None:
        (path / "position.json").write_text(json.dumps(self.position))

    def load(self, path: Path) -> None:
        self.model.load_state_dict(torch.load(path / "model.pt"))
        self.position = self.read(path)

    def read(self, path: Path) -> int:
        return int(json.loads((path / "position.json").read_text()))

    @classmethod
    def run(cls) -> TrainingRun:
        trainer = cls()
        components = {"model": trainer.model, "optimizer": trainer.optimizer}
        return TrainingRun(components=components, step=trainer.step, save=trainer.save, load=trainer.load)


class ReadsItsFirstLine(Trainer):
    def write(self, path: Path) -> None:
        with open(path / "position.json", "a") as file:
            file.write(f"{self.position}\n")

    def read(self, path: Path) -> int:
        return int((path / "position.json").read_text().splitlines()[0])


class ReadsTheNewestFile(Trainer):
    """Right, however fast one step comes after the other here."""

    def write(self, path: Path) -> None:
        (path / f"position-{self.position}.json").write_text(json.dumps(self.position))

    def read(self, path: Path) -> int:
        newest = max(sorted(path.glob("position-*.json")), key=lambda file: file.stat().st_mtime_ns // 10**9)
        return int(json.loads(newest.read_text()))


class ReadsTheLongestRun(Trainer):
    """Right for a folder that one run alone uses."""

    def write(self, path: Path) -> None:
        (path / f"{self.position}.json").write_text(json.dumps(self.position))

    def read(self, path: Path) -> int:
        return max(int(file.stem) for file in path.glob("*.json"))


class KeepsItsFirst(Trainer):
    def save(self, path: Path) -> None:
        if not path.exists():
            super().save(path)


class RefusesToOverwrite(Trainer):
    def save(self, path: Path) -> None:
        if path.exists():
            raise FileExistsError(path)
        super().save(path)


class KeepsItsLastAlone(Trainer):
    """Deletes the checkpoint before, which it does not expect at the same path."""

    kept: Path | None = None

    def save(self, path: Path) -> None:
        super().save(path)
        if self.kept is not None:
            for file in self.kept.iterdir():
                file.unlink()
            self.kept.rmdir()
        self.kept = path


class MapsItsFile(Trainer):
    """Its weights stay windows on the file, and a save that truncates it would kill the process."""

    def save(self, path: Path) -> None:
        torch.save({"model": self.model.state_dict(), "position": self.position}, path)

    def load(self, path: Path) -> None:
        payload = torch.load(path, mmap=True)
        self.model.load_state_dict(payload["model"], assign=True)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.position = payload["position"]


def court(trainer: type[Trainer]) -> Court:
    machine: Any = checkpoint_machine(trainer.run)
    found: Court = machine.court
    return found


def test_what_an_earlier_save_left_behind_is_found_and_named() -> None:
    machine: Any = checkpoint_machine(ReadsItsFirstLine.run)
    chosen = settings(machine.TestCase.settings, database=None, derandomize=True, max_examples=300)
    with pytest.raises(CheckpointFailure) as caught:
        run_state_machine_as_test(machine, settings=chosen)

    lines = str(caught.value).splitlines()
    assert " over an earlier one, they part at step(" in lines[0]
    assert "Write whole files, and remove what an earlier save has left at the path." in lines
    assert lines.count('run.save(path_of("0"))') == 1


def test_only_saving_over_shows_it() -> None:
    assert court(ReadsItsFirstLine).judge((STEP, Save(), STEP, Save(), Restart(checkpoint=1), STEP)) is None
    assert court(ReadsItsFirstLine).judge(TWICE) is not None


@pytest.mark.parametrize(
    "trainer",
    [
        Trainer,
        ReadsTheNewestFile,
        ReadsTheLongestRun,
        KeepsItsFirst,
        RefusesToOverwrite,
        KeepsItsLastAlone,
        MapsItsFile,
    ],
)
@pytest.mark.parametrize(
    "program",
    [
        TWICE,
        (STEP, Save(), LATEST, STEP, AGAIN, LATEST, STEP),
        (Train(steps=4), Save(), StartOver(), STEP, AGAIN, LATEST, STEP),
    ],
    ids=["one process", "two processes", "another run"],
)
def test_a_correct_program_is_not_accused(trainer: type[Trainer], program: Program) -> None:
    assert court(trainer).judge(program) is None

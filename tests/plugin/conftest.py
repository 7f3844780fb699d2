from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeAlias

import pytest

# What is imported here, no inner run imports again.
import pytest_ckpt.plugin.ckpt_fixture
import pytest_ckpt.plugin.golden_calls
import pytest_ckpt.plugin.golden_summary  # noqa: F401

RunPytest: TypeAlias = Callable[..., pytest.RunResult]

# A checkout that is not installed can be tested, too.
_INSTALLED = any(entry.value == "pytest_ckpt.plugin" for entry in entry_points(group="pytest11"))
PLUGIN = () if _INSTALLED else ("-p", "pytest_ckpt.plugin")
_OPTIONS = (
    *PLUGIN,
    *("-p", "no:randomly"),  # Lines are asserted in the order of the tests.
    *("-p", "no:hypothesispytest"),  # It would import hypothesis anew at the end of each run.
    *("-W", "error", "--strict-markers"),
)

TRAIN = """
import os

import torch

from pytest_ckpt import TrainingRun

LOG = os.environ.get("CKPT_TEST_LOG", os.devnull)


def log(word):
    # Not in a list: what a run reaches is put back before the next one is made.
    with open(LOG, "a") as file:
        file.write(f"{word} ")


class Trainer:
    def __init__(self):
        log("made")
        self.model = torch.nn.Linear(2, 1)
        self.optimizer = torch.optim.AdamW(self.model.parameters())

    def step(self, i):
        log(i)
        loss = self.model(torch.randn(3, 2)).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss)

    def save(self, path):
        log("save")
        torch.save({"model": self.model.state_dict()}, path)

    def load(self, path):
        log("load")
        self.model.load_state_dict(torch.load(path)["model"])

    def predict(self):
        return self.model(torch.ones(1, 2))

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer}


def make_run():
    trainer = Trainer()
    return TrainingRun(components=trainer.components(), step=trainer.step, predict=trainer.predict)


def make_forgetful_run():
    trainer = Trainer()
    return TrainingRun(
        components=trainer.components(), step=trainer.step, save=trainer.save, load=trainer.load
    )


def make_weightless_run():
    trainer = Trainer()
    return TrainingRun(
        components={"model": trainer.model}, step=trainer.step, save=trainer.save, load=lambda path: None
    )


def make_unreadable_run():
    trainer = Trainer()

    def load(path):
        raise KeyError("weights")

    return TrainingRun(components=trainer.components(), step=trainer.step, save=trainer.save, load=load)


def make_careful_run():
    trainer = Trainer()

    def save(path):
        log("save")
        states = trainer.model.state_dict(), trainer.optimizer.state_dict(), torch.get_rng_state()
        torch.save(states, path)

    def load(path):
        log("load")
        model, optimizer, rng = torch.load(path)
        trainer.model.load_state_dict(model)
        trainer.optimizer.load_state_dict(optimizer)
        torch.set_rng_state(rng)

    return TrainingRun(components=trainer.components(), step=trainer.step, save=save, load=load)


def make_still_run():
    model = torch.nn.Linear(2, 1)
    torch.nn.init.ones_(model.weight)
    torch.nn.init.zeros_(model.bias)
    return model


def make_noisy_run():
    trainer = Trainer()

    def step(i):
        torch.manual_seed(int.from_bytes(os.urandom(4)))
        return trainer.step(i)

    return TrainingRun(components=trainer.components(), step=step)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory with a module ``train`` of good and bad runs."""
    pytester.makepyfile(train=TRAIN)
    pytester.syspathinsert()
    return pytester


@pytest.fixture
def log(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the runs note what they do."""
    path = project.path / "log"
    monkeypatch.setenv("CKPT_TEST_LOG", str(path))
    return path


@pytest.fixture
def run_pytest(project: pytest.Pytester) -> RunPytest:
    """Run pytest in the project, with every warning an error."""

    def run(*args: str) -> pytest.RunResult:
        return project.runpytest(*_OPTIONS, *args)

    return run

"""Whole drawn training programs: each is a correct one, and the same one whenever it is made."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase

from pytest_ckpt import TrainingRun, check_training_run
from pytest_ckpt.comparison import compare
from pytest_ckpt.runs import build, isolated
from pytest_ckpt.state import capture, get_random_state
from pytest_ckpt.state.random_state import seed_everything
from pytest_ckpt.strategies import training_runs
from pytest_ckpt.strategies.runs.drawn_run import DrawnRun
from pytest_ckpt.strategies.runs.drawn_trainer import DrawnTrainer

EXACT = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))


def drawn(count: int, strategy: st.SearchStrategy[DrawnRun] | None = None) -> list[DrawnRun]:
    """Return the runs that one test would see, the same every time."""
    found: list[DrawnRun] = []

    @settings(EXACT, max_examples=count, phases=[Phase.generate])
    @given(training_runs() if strategy is None else strategy)
    def collect(run: DrawnRun) -> None:
        found.append(run)

    collect()
    return found


def simplest() -> DrawnRun:
    return find(training_runs(), lambda run: True, settings=EXACT)


@settings(EXACT, max_examples=12)
@given(training_runs())
def test_a_drawn_run_passes_all_checks(run: DrawnRun) -> None:
    outcomes = check_training_run(run, steps=3, formats=["own" if run.saves else "torch"])

    assert Counter(outcome.status for outcome in outcomes)["pass"] >= 10, outcomes


@pytest.mark.thorough
@settings(EXACT, max_examples=1000, derandomize=False)
@given(training_runs())
def test_a_thousand_runs_come_back_as_they_were_saved(run: DrawnRun) -> None:
    formats = ["own" if run.saves else "torch"]

    outcomes = check_training_run(run, steps=3, select=["fidelity"], formats=formats)

    assert {outcome.status for outcome in outcomes} <= {"pass"}


@pytest.mark.thorough
@settings(EXACT, max_examples=200, derandomize=False)
@given(training_runs())
def test_two_hundred_runs_pass_all_checks(run: DrawnRun) -> None:
    check_training_run(run, steps=3, formats=["own" if run.saves else "torch"])


def test_a_run_without_its_random_state_is_found_out() -> None:
    noisy = DrawnRun(parts=simplest().parts, noise="torch", saves=True)

    def make_run() -> TrainingRun:
        trainer = DrawnTrainer(noisy)

        def save(path: Any) -> None:
            torch.save({name: item.state_dict() for name, item in trainer.components().items()}, path)

        def load(path: Any) -> None:
            checkpoint = torch.load(path, weights_only=False)
            for name, item in trainer.components().items():
                item.load_state_dict(checkpoint[name])

        return TrainingRun(trainer.components, trainer.step, save, load)

    outcomes = check_training_run(make_run, steps=3, raise_on_failure=False)

    assert outcomes["resume_is_exact"].failed
    assert "rng.torch" in outcomes["resume_is_exact"].causes


def test_the_same_run_is_made_each_time() -> None:
    for run in drawn(15):
        with isolated():
            first, second = (build(run, 7) for _ in range(2))
            records = []
            for made in (first, second):
                seed_everything(3)  # python's as well: some draw their noise from it
                records.append(made.train(2))
        assert not compare(records[0], records[1])


def test_another_seed_makes_another_run() -> None:
    with isolated():
        pairs = [[capture(build(run, seed).components, hidden=False).raw for seed in (1, 2)] for run in drawn(10)]

    assert sum(bool(compare(*pair)) for pair in pairs) >= 7  # A batch norm begins with ones.


def test_drawing_leaves_the_random_state_alone() -> None:
    before = get_random_state()["torch"]

    @settings(EXACT, max_examples=10)
    @given(training_runs())
    def draw(run: DrawnRun) -> None:
        assert torch.equal(get_random_state()["torch"], before)

    draw()


def test_a_failure_is_found_again_in_the_database() -> None:
    database = InMemoryExampleDatabase()
    failing: list[list[str]] = []

    def search() -> None:
        seen: list[str] = []
        failing.append(seen)

        @settings(EXACT, derandomize=False, database=database, max_examples=50, print_blob=False)
        @given(training_runs())
        def never_clips(run: DrawnRun) -> None:
            if run.clip:
                seen.append(repr(run))
                raise AssertionError("it clips")

        with pytest.raises(AssertionError, match="it clips"):
            never_clips()

    search()
    search()

    assert failing[1][0] == failing[0][-1]


def test_a_run_says_what_it_is() -> None:
    clipping = find(training_runs(), lambda run: run.clip == "norm", settings=EXACT)

    assert repr(simplest()) == (
        "DrawnRun(parts=(Part(model=DrawnModule(nn.Linear(2, 2), inputs=Vector(batch=2, features=2)), "
        "optimizer=torch.optim.SGD(parameters), scheduler=None),))"
    )
    assert repr(clipping) == repr(simplest())[:-1] + ", clip='norm')"


def test_a_run_can_be_pickled() -> None:
    for run in drawn(30):
        assert repr(pickle.loads(pickle.dumps(run))) == repr(run)


def test_everything_turns_up() -> None:
    found: Counter[str] = Counter()
    for run in drawn(300):
        found.update([f"{len(run.parts)} models", run.data, f"noise {run.noise}", f"clip {run.clip}"])
        found.update([f"accumulate {run.accumulate}", f"saves {run.saves}"])
        found.update(f"{name} {getattr(run, name) is not None}" for name in ("averaging", "scaler"))
        for part in run.parts:
            found.update([part.optimizer.cls.__name__, part.optimizer.gradients, f"schedule {bool(part.scheduler)}"])

    expected = {
        *("1 models", "2 models", "by number", "shuffled", "own generator", "noise ", "noise torch", "noise python"),
        *("clip ", "clip norm", "clip value", "accumulate 1", "accumulate 2", "accumulate 3", "saves True"),
        *("saves False", "averaging True", "averaging False", "scaler True", "scaler False", "dense", "sparse"),
        *("schedule True", "schedule False", "SGD", "AdamW", "LBFGS", "SparseAdam", "Rprop", "Muon"),
    }
    assert expected - found.keys() == set()


def test_bounds_are_kept() -> None:
    for run in drawn(60, training_runs(max_models=1, max_layers=1, max_nesting=0)):
        assert len(run.parts) == 1
        assert len(run.parts[0].model.kinds) == 1

"""Every module, optimizer and scheduler of torch through every format, fresh and trained, bit for bit."""

from __future__ import annotations

import fnmatch
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch_databases import DatabaseMissing
from torch_expected import EXPECTED, applies, entry_for, problems
from torch_in_memory import IN_MEMORY, in_memory
from torch_round_trips import STEPS, Found, State, compared, round_trips, saved
from torch_subjects import TORCH_WARNINGS, Subject, all_subjects

from pytest_ckpt import TrainingRun
from pytest_ckpt.formats import BUILTIN_FORMATS, get_format
from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.runs.storage import format_storage
from pytest_ckpt.state import capture, get_random_state, set_random_state

try:
    SUBJECTS = all_subjects()
except DatabaseMissing as error:
    pytest.skip(str(error), allow_module_level=True)

pytestmark = [pytest.mark.filterwarnings(text) for text in TORCH_WARNINGS]

FAMILIES: dict[str, list[str]] = {}
for _name, _entry in BUILTIN_FORMATS.items():
    FAMILIES.setdefault(_entry.module.rpartition(".")[2].removeprefix("with_"), []).append(_name)
FAMILIES["memory"] = list(IN_MEMORY)


@pytest.fixture(autouse=True)
def _one_thread_and_the_random_state_as_before() -> Iterator[None]:
    threads, before = torch.get_num_threads(), get_random_state()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    set_random_state(before)


def labels(group: str, subject: Subject) -> list[str]:
    components = saved(subject, "fresh").run.components.values()
    return [f"{group}: {subject.name}", *(f"{type(item).__module__}.{type(item).__qualname__}" for item in components)]


def send(
    group: str, subjects: tuple[Subject, ...], way: str, state: State, directory: Path
) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Return how many were the same, were refused or differed, for which listed reason, and what is not as listed."""
    if way in IN_MEMORY:
        found = in_memory(way, subjects, state)
    else:
        (folder := directory / f"{way}-{state}").mkdir()
        found = round_trips(subjects, state, format_storage(get_format(way)), folder)
    expected = {s.name: [e for e in EXPECTED if applies(e, labels(group, s), way, state)] for s in subjects}
    counts: Counter[tuple[str, str]] = Counter()
    for name, one in found.items():
        entry = None if one.status == "same" else entry_for(one, expected[name])
        counts[one.status, entry.because if entry else ""] += 1
    return counts, problems(found, expected, where=f"through {way}, {state}")


@pytest.mark.parametrize("group", SUBJECTS)
def test_one_of_each_class_comes_back_as_it_was(group: str, tmp_path: Path) -> None:
    found = [send(group, SUBJECTS[group][:1], "torch", state, tmp_path) for state in STEPS]

    assert "\n".join(problem for _, wrong in found for problem in wrong) == ""


@pytest.mark.parametrize("group", [name for name in SUBJECTS if name.startswith("nn.Lazy")])
def test_a_lazy_module_that_saw_no_input_takes_what_a_trained_one_saved(group: str, tmp_path: Path) -> None:
    by_name = {subject.name: subject for subject in SUBJECTS[group]}
    trained = {name: saved(subject, "trained").run.components["model"] for name, subject in by_name.items()}
    models = {name: model for name, model in trained.items() if f"{name} untouched" in by_name}
    untouched = {name: build(by_name[f"{name} untouched"].make_run, 3).components["model"] for name in models}
    storage = format_storage(get_format("torch"))

    storage.save(LiveRun(TrainingRun(components=models)), tmp_path / "lazy.pt")
    storage.load(LiveRun(TrainingRun(components=untouched)), tmp_path / "lazy.pt")

    assert models
    assert compared(capture(models, hidden=False), untouched) == Found(status="same")


@pytest.mark.thorough
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("group", SUBJECTS)
def test_all_come_back_as_they_were(
    group: str, family: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    wrong, rows = [], []
    for way in FAMILIES[family]:
        for state in STEPS:
            counts, problems_here = send(group, SUBJECTS[group], way, state, tmp_path)
            wrong += problems_here
            rows += [[way, state, *key, count] for key, count in counts.items()]
    record_property("torch catalogue", json.dumps({"group": group, "rows": rows}))

    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_each_expected_loss_is_about_something() -> None:
    ways = [way for family in FAMILIES.values() for way in family]
    known = [label for group, subjects in SUBJECTS.items() for subject in subjects for label in labels(group, subject)]

    for entry in EXPECTED:
        assert fnmatch.filter(known, entry.of), entry
        assert all(fnmatch.filter(ways, glob) for glob in entry.ways), entry

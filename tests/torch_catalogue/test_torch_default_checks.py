"""No module, optimizer or scheduler of torch is accused by the default checks, and none is waved through."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch_databases import DatabaseMissing, module_samples
from torch_subjects import (
    Subject,
    eval_mode_run,
    module_subjects,
    optimizer_subjects,
    other_module_subjects,
    scheduler_subjects,
)

from pytest_ckpt import check_training_run
from pytest_ckpt.comparison import differ
from pytest_ckpt.reporting import report
from pytest_ckpt.runs import MakeRun, build, isolated
from pytest_ckpt.state import capture

CALLS = 3  # of each module class; the round trips try them all


def checked_subjects() -> dict[str, list[Subject]]:
    found = {
        name: [subject for subject in subjects if subject.trains][:CALLS]
        for name, subjects in module_subjects().items()
    }
    for name, samples in module_samples().items():
        in_eval_mode = [sample for sample in samples if not sample.training][:1]
        found[name] += [Subject(name=f"{s.call} in eval mode", make_run=eval_mode_run(s)) for s in in_eval_mode]
    rest = {**other_module_subjects(), **optimizer_subjects(), **scheduler_subjects()}
    found |= {name: [subject for subject in subjects if subject.trains] for name, subjects in rest.items()}
    return {name: subjects for name, subjects in found.items() if subjects}


try:
    SUBJECTS = checked_subjects()
except DatabaseMissing as error:
    pytest.skip(str(error), allow_module_level=True)


def can_lose_something(make_run: MakeRun) -> bool:
    """Whether a run that has trained differs from one that is made anew under another seed."""
    with isolated():
        trained = build(make_run, 1)
        trained.train(3)
        fresh = build(make_run, 2)
        return differ(capture(trained.components).state, capture(fresh.components).state)


@pytest.mark.thorough
@pytest.mark.parametrize("group", SUBJECTS)
def test_every_check_passes_where_there_is_something_to_lose(
    group: str, record_property: Callable[[str, object], None]
) -> None:
    wrong, counts = [], Counter[str]()
    for subject in SUBJECTS[group]:
        outcomes = check_training_run(subject.make_run, formats=["torch"], raise_on_failure=False)
        statuses = Counter(outcome.status for outcome in outcomes)
        expected = {"pass"} if can_lose_something(subject.make_run) else {"pass", "vacuous"}
        if set(statuses) != expected:
            wrong.append(f"{subject.name}: {dict(statuses)} instead of {expected}\n{report(outcomes)}")
        counts.update(statuses)
    record_property("torch catalogue", json.dumps({"group": group, "checks": counts}))

    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_every_class_of_torch_is_covered() -> None:
    """What torch exports and no table has is a gap, and what a table has and torch does not is stale."""
    from torch_other_modules import ABSTRACT, OTHER_MODULES
    from torch_schedulers import SCHEDULERS

    modules = {name.removeprefix("nn.") for name in module_samples()} | set(OTHER_MODULES) | ABSTRACT
    assert set(torch.nn.modules.__all__) - modules == set()
    assert {name for name in modules if name.isidentifier()} - {"AveragedModel"} - set(dir(torch.nn)) == set()
    assert set(SCHEDULERS) == set(torch.optim.lr_scheduler.__all__) - {"LRScheduler"}  # the base of the others
    optimizers = {name for name in torch.optim.__all__ if isinstance(getattr(torch.optim, name), type)}
    assert {name.removeprefix("optim.") for name in optimizer_subjects()} == optimizers - {"Optimizer"}

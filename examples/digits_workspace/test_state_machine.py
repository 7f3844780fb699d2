"""Hypothesis makes up what happens to the run; every planted bug is found, in a short program."""

from __future__ import annotations

import re

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from pytest_ckpt import CheckpointFailure
from pytest_ckpt.strategies import checkpoint_machine

from .planted_bugs import BUGS, PlantedBug, plant
from .train import make_run

TestCheckpoints = checkpoint_machine(make_run).TestCase
DEMANDING = {"best weights are the live weights", "saving thread sees live tensors", "saving draws random numbers"}


def events_to_see(bug: PlantedBug) -> int:
    """Run the machine and return the number of events of the program that it prints."""
    machine = checkpoint_machine(plant(bug))
    # As many examples as it takes: the test would be idle if the bug were missed by bad luck.
    chosen = settings(machine.TestCase.settings, database=None, derandomize=True, max_examples=300)
    with pytest.raises(CheckpointFailure) as failure:
        run_state_machine_as_test(machine, settings=chosen)
    (events,) = re.findall(r"The program, (\d+) events", str(failure.value))
    return int(events)


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.name in DEMANDING], ids=lambda bug: bug.name)
def test_bug_is_found_in_a_few_events(bug: PlantedBug) -> None:
    assert events_to_see(bug) <= 4


@pytest.mark.thorough
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_is_found_in_six_events_at_most(bug: PlantedBug) -> None:
    assert events_to_see(bug) <= 6

"""What a checkpoint needs is in the memory of the process that has saved it, and in no other."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.hidden import Memory, step_with_decay, trains
from pytest_ckpt.faults.saving import differs_from_a_fresh_run
from pytest_ckpt.faults.trying import unless
from pytest_ckpt.faults.wrapping import injecting
from pytest_ckpt.runs import LiveRun, TrainingRun

__all__ = ["MEMORY"]

# They live as long as the process, as a cache in a project's own module does.
_saved_here: set[str] = set()
_counts: dict[str, int] = {}


def _find_in_memory(definition: TrainingRun) -> TrainingRun:
    run = LiveRun(definition)
    return replace(definition, save=partial(_save_and_enter, run), load=partial(_load_what_is_entered, run))


def _save_and_enter(run: LiveRun, path: Path) -> None:
    run.save(path)
    _saved_here.add(str(path))


def _load_what_is_entered(run: LiveRun, path: Path) -> None:
    if str(path) in _saved_here:
        run.load(path)


def _count_in_memory(definition: TrainingRun) -> TrainingRun:
    run, memory = LiveRun(definition), Memory()
    return replace(
        definition,
        step=partial(step_with_decay, run, memory),
        save=partial(_save_and_count, run, memory),
        load=partial(_load_and_count, run, memory),
    )


def _save_and_count(run: LiveRun, memory: Memory, path: Path) -> None:
    run.save(path)
    _counts[str(path)] = memory.count


def _load_and_count(run: LiveRun, memory: Memory, path: Path) -> None:
    run.load(path)
    memory.count = _counts.get(str(path), 0)


MEMORY: tuple[Fault, ...] = (
    Fault(
        name="load_asks_the_process",
        summary="load looks the checkpoint up in a list of the process, and one that is not in it is a fresh start.",
        seen_by=("loads_in_a_fresh_process",),
        inject=injecting(_find_in_memory),
        applies=unless("The run is in no other state than a fresh one.", differs_from_a_fresh_run),
    ),
    Fault(
        name="counter_stays_in_the_process",
        summary="A counter that the training depends on is kept in a variable of a module, by checkpoint.",
        seen_by=("resume_in_a_fresh_process",),
        inject=injecting(_count_in_memory),
        applies=unless("The run has no step=, or trains no parameter of a module.", trains),
    ),
)

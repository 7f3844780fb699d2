"""Saving changes the run, comes too late, or depends on what happened before."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from pytest_ckpt.comparison import compare
from pytest_ckpt.faults.damaging import round_weights
from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.parts import forget, kind_of, modules, states
from pytest_ckpt.faults.trying import changes_tensors, fault_of_save, unless
from pytest_ckpt.faults.wrapping import injecting
from pytest_ckpt.runs import LiveRun, MakeRun, TrainingRun, build
from pytest_ckpt.runs.restoring import load_order, restore_component
from pytest_ckpt.state import freeze
from pytest_ckpt.trips import FIRST_SEED, fresh_seed

__all__ = ["SAVING", "differs_from_a_fresh_run"]


def _clear_gradients(run: LiveRun, noted: object) -> None:
    for module in modules(run):
        module.zero_grad()


_writers: WeakValueDictionary[str, threading.Thread] = WeakValueDictionary()


def _save_later(definition: TrainingRun) -> TrainingRun:
    run = LiveRun(definition)
    return replace(definition, save=partial(_start_writing, run), load=partial(_load_when_written, run))


def _start_writing(run: LiveRun, path: Path) -> None:
    writer = threading.Thread(target=_write, args=(run, path))
    _writers[str(path)] = writer
    writer.start()


def _write(run: LiveRun, path: Path) -> None:
    with contextlib.suppress(OSError, RuntimeError):  # The directory is gone where nobody waited.
        run.save(path)


def _load_when_written(run: LiveRun, path: Path) -> None:
    if (writer := _writers.get(str(path))) is not None:
        writer.join()
    run.load(path)


def _save_beside(definition: TrainingRun) -> TrainingRun:
    return replace(definition, save=partial(_write_beside, LiveRun(definition)))


def _write_beside(run: LiveRun, path: Path) -> None:
    # A program may add to the name: weights in one file, the rest in another.
    saved = any(file.name.startswith(path.name) for file in path.parent.iterdir())
    run.save(path.with_name(f"later-{path.name}") if saved else path)


class _Memory:
    """The state that a run saves in place of its own; empty for its own."""

    def __init__(self) -> None:
        self.stale: dict[str, Any] = {}


def _forget_when_saved_again(definition: TrainingRun) -> TrainingRun:
    run, memory = LiveRun(definition), _Memory()
    return replace(definition, save=partial(_save_stale, run, memory), load=partial(_note_and_load, run, memory))


def _note_and_load(run: LiveRun, memory: _Memory, path: Path) -> None:
    memory.stale = states(run)
    run.load(path)


def _save_what_was_loaded(definition: TrainingRun) -> TrainingRun:
    run, memory = LiveRun(definition), _Memory()
    return replace(definition, save=partial(_save_stale, run, memory), load=partial(_load_and_note, run, memory))


def _load_and_note(run: LiveRun, memory: _Memory, path: Path) -> None:
    run.load(path)
    memory.stale = states(run)


def _save_what_was_saved(definition: TrainingRun) -> TrainingRun:
    run, memory = LiveRun(definition), _Memory()
    return replace(definition, save=partial(_save_and_note, run, memory))


def _save_and_note(run: LiveRun, memory: _Memory, path: Path) -> None:
    _save_stale(run, memory, path)
    memory.stale = memory.stale or states(run)


def _save_stale(run: LiveRun, memory: _Memory, path: Path) -> None:
    now = states(run)
    if not forget(run, memory.stale, lambda component: kind_of(component) in ("module", "optimizer")):
        forget(run, memory.stale, lambda component: True)  # What trains need not be a module.
    run.save(path)
    components, changed = run.components, states(run)
    for name in load_order(components):
        if compare(now[name], changed[name], traits=False):
            restore_component(name, components[name], freeze(now[name]))


def _changes_tensors_between_saves(make_run: MakeRun, steps: int, at: Sequence[int]) -> bool:
    points = sorted(set(at))
    return len(points) > 1 and all(changes_tensors(make_run, steps, [k]) for k in points[:-1])


def differs_from_a_fresh_run(make_run: MakeRun, steps: int, at: Sequence[int]) -> bool:
    """Whether a run saved at the last step to resume from is in another state than a fresh one."""
    run = build(make_run, FIRST_SEED)
    run.train(max(at))
    trained = states(run)
    return any(m.tensor for m in compare(trained, states(build(make_run, fresh_seed(max(at)))), traits=False))


_ONE_SAVE = "Training changes no tensor between two saves."

SAVING: tuple[Fault, ...] = (
    fault_of_save(
        "save_changes_weights",
        "save casts the live model to half precision to write it, and back.",
        after=round_weights,
        otherwise="No tensor of a module loses precision in bfloat16.",
    ),
    fault_of_save(
        "save_clears_gradients",
        "save zeroes the gradients to save memory, in the middle of accumulating them.",
        after=_clear_gradients,
        otherwise="Training does not depend on gradients of the step before.",
    ),
    Fault(
        name="save_in_a_thread",
        summary="A thread writes the live tensors while training goes on.",
        seen_by=("state_is_restored",),
        inject=injecting(_save_later),
        applies=unless("Training changes no tensor.", changes_tensors),
    ),
    Fault(
        name="second_save_forgets",
        summary="What a save writes is only there in the process that started the training.",
        seen_by=("second_generation_equals_first",),
        inject=injecting(_forget_when_saved_again),
        applies=unless("The run is in no other state than a fresh one.", differs_from_a_fresh_run),
    ),
    Fault(
        name="resumed_run_saves_what_it_loaded",
        summary="A resumed run keeps the mapping that it loaded, and writes it again after it has trained on.",
        seen_by=("second_resume_is_exact",),
        inject=injecting(_save_what_was_loaded),
        applies=unless(_ONE_SAVE, _changes_tensors_between_saves),
    ),
    Fault(
        name="later_saves_repeat_the_first",
        summary="What is saved is collected once, and every later save of the run writes the same again.",
        seen_by=("checkpoints_are_independent",),
        inject=injecting(_save_what_was_saved),
        applies=unless(_ONE_SAVE, _changes_tensors_between_saves),
    ),
    Fault(
        name="save_beside_the_first",
        summary="What a second save writes goes to the end of the file, or beside it, and load reads the first.",
        seen_by=("saving_again_replaces_the_checkpoint",),
        inject=injecting(_save_beside),
        applies=unless(_ONE_SAVE, _changes_tensors_between_saves),
    ),
)

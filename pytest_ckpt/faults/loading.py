"""Load does nothing, or works only once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch

from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.parts import forget, states, tensors
from pytest_ckpt.faults.saving import differs_from_a_fresh_run
from pytest_ckpt.faults.trying import changes_tensors, unless
from pytest_ckpt.faults.wrapping import injecting, take_step
from pytest_ckpt.runs import LiveRun, MakeRun, TrainingRun, build
from pytest_ckpt.trips import FIRST_SEED

__all__ = ["LOADING"]

_Kept: TypeAlias = "dict[str, dict[str, Any]]"


def _load_nothing(definition: TrainingRun) -> TrainingRun:
    return replace(definition, load=_return_at_once)


def _return_at_once(path: Path) -> None:
    """Load as where the wrong path was looked up, and a missing checkpoint means a fresh start."""


def _keeping(change: Callable[[_Kept, TrainingRun], TrainingRun], make_run: MakeRun) -> MakeRun:
    """Inject a change whose runs share what they keep of checkpoints, by path."""
    return injecting(partial(change, {}))(make_run)


def _save_and_drop(run: LiveRun, kept: _Kept, path: Path) -> None:
    run.save(path)
    kept.pop(str(path), None)


def _pop_keys(kept: _Kept, definition: TrainingRun) -> TrainingRun:
    run = LiveRun(definition)
    return replace(definition, save=partial(_save_and_drop, run, kept), load=partial(_load_once, run, kept))


def _load_once(run: LiveRun, kept: _Kept, path: Path) -> None:
    keys = kept.setdefault(str(path), {"state": None})
    run.load(path)
    keys.pop("state")


def _alias(kept: _Kept, definition: TrainingRun) -> TrainingRun:
    run = LiveRun(definition)
    return replace(definition, save=partial(_save_and_drop, run, kept), load=partial(_load_aliases, run, kept))


def _load_aliases(run: LiveRun, kept: _Kept, path: Path) -> None:
    run.load(path)
    found = {name: item for name, item in run.components.items() if isinstance(item, torch.nn.Module)}
    if str(path) not in kept:
        # The state dicts hold the tensors of the first run themselves, which trains on.
        kept[str(path)] = {name: item.state_dict() for name, item in found.items()}
    for name, state in kept[str(path)].items():
        found[name].load_state_dict(state)


def _changes_a_module(make_run: MakeRun, steps: int, at: Sequence[int]) -> bool:
    run = build(make_run, FIRST_SEED)
    run.train(max(at))
    before = [(tensor, tensor.clone()) for _, tensor in tensors(run)]
    run.train(max(at) + 1)
    return any(not torch.equal(tensor, was) for tensor, was in before)


def _keep_trained_state(definition: TrainingRun) -> TrainingRun:
    run, trained = LiveRun(definition), [False]
    step = None if definition.step is None else partial(_step_and_note, run, trained)
    return replace(definition, step=step, load=partial(_load_into_untrained, run, trained))


def _step_and_note(run: LiveRun, trained: list[bool], number: int) -> Any:
    trained[0] = True
    return take_step(run, number)


def _load_into_untrained(run: LiveRun, trained: list[bool], path: Path) -> None:
    noted = states(run) if trained[0] else {}
    run.load(path)
    forget(run, noted, lambda component: True)


def _everywhere(make_run: MakeRun, steps: int, at: Sequence[int]) -> None:
    """Apply to any run."""


LOADING: tuple[Fault, ...] = (
    Fault(
        name="load_nothing",
        summary="load does not find the checkpoint and takes the run for a fresh start.",
        seen_by=("state_is_restored", "resume_is_exact"),
        inject=injecting(_load_nothing),
        applies=unless("The run is in no other state than a fresh one.", differs_from_a_fresh_run),
    ),
    Fault(
        name="second_load_raises",
        summary="load pops keys out of a mapping that is kept, and finds none the next time.",
        seen_by=("loading_twice_gives_the_same",),
        inject=partial(_keeping, _pop_keys),
        applies=_everywhere,
    ),
    Fault(
        name="load_aliases_the_checkpoint",
        summary="The run trains on the tensors of a checkpoint that is kept in memory.",
        seen_by=("loading_twice_gives_the_same",),
        inject=partial(_keeping, _alias),
        applies=unless("Training changes no tensor of a module in place.", _changes_a_module),
    ),
    Fault(
        name="load_keeps_trained_state",
        summary="load fills only what is still empty, so a run that has trained keeps some of its own state.",
        seen_by=("loading_overwrites_everything",),
        inject=injecting(_keep_trained_state),
        applies=unless("Training changes no tensor.", changes_tensors),
    ),
)

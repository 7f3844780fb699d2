"""Something is saved that no resumed run needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.trying import unless
from pytest_ckpt.faults.wrapping import injecting, take_step
from pytest_ckpt.runs import LiveRun, MakeRun, TrainingRun, build
from pytest_ckpt.trips import FIRST_SEED

__all__ = ["IDLE"]


class _Last:
    """What the last step computed; the next one computes it anew."""

    def __init__(self) -> None:
        self.step = -1

    def state_dict(self) -> dict[str, int]:
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.step = state["step"]


def _carry_along(definition: TrainingRun) -> TrainingRun:
    run, last = LiveRun(definition), _Last()
    step = None if definition.step is None else partial(_step, run, last)
    save, load = partial(_save, run, last), partial(_load, run, last)
    return replace(definition, components=partial(_components, run, last), step=step, save=save, load=load)


def _components(run: LiveRun, last: _Last) -> Mapping[str, Any]:
    return {**run.components, "last": last}


def _step(run: LiveRun, last: _Last, number: int) -> Any:
    last.step = number
    return take_step(run, number)


def _save(run: LiveRun, last: _Last, path: Path) -> None:
    run.save(path)
    path.with_name(f"{path.name}.last").write_text(str(last.step), encoding="utf-8")


def _load(run: LiveRun, last: _Last, path: Path) -> None:
    run.load(path)
    last.load_state_dict({"step": int(path.with_name(f"{path.name}.last").read_text(encoding="utf-8"))})


def _trains(make_run: MakeRun, steps: int, at: Sequence[int]) -> bool:
    return build(make_run, FIRST_SEED).definition.step is not None


IDLE: tuple[Fault, ...] = (
    Fault(
        name="save_what_each_step_computes",
        summary="The checkpoint holds what every training step computes anew, such as the last batch.",
        seen_by=("every_component_is_needed",),
        inject=injecting(_carry_along),
        applies=unless("The run has no step=.", _trains),
    ),
)

"""Something that no component holds: a counter, the step's number, a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.parts import modules
from pytest_ckpt.faults.trying import End, differing, noise, unless
from pytest_ckpt.faults.wrapping import injecting, take_step
from pytest_ckpt.runs import LiveRun, MakeRun, TrainingRun, build
from pytest_ckpt.state import capture
from pytest_ckpt.trips import FIRST_SEED

__all__ = ["HIDDEN", "Memory", "step_with_decay", "trains"]


class Memory:
    """A plain attribute of a trainer, 0 in a fresh run."""

    def __init__(self) -> None:
        self.count = 0


def _lose_counter(definition: TrainingRun) -> TrainingRun:
    return replace(definition, step=partial(step_with_decay, LiveRun(definition), Memory()))


def step_with_decay(run: LiveRun, memory: Memory, number: int) -> Any:
    """Take a training step, and let the weights decay by a share that depends on how many were taken."""
    output = take_step(run, number)
    memory.count += 1
    with torch.no_grad():
        for parameter in _trained(run):
            parameter.mul_(1 - 0.1 / memory.count)
    return output


def _trained(run: LiveRun) -> list[torch.nn.Parameter]:
    return [p for module in modules(run) for p in module.parameters() if p.requires_grad]


def trains(make_run: MakeRun, steps: int, at: Sequence[int]) -> bool:
    """Whether a run trains parameters before it is saved."""
    run = build(make_run, FIRST_SEED)
    return run.definition.step is not None and max(at) > 0 and bool(_trained(run))


def _repeat_a_step(definition: TrainingRun) -> TrainingRun:
    run, memory = LiveRun(definition), Memory()
    step, load = partial(_step_from_before, run, memory), partial(_load_and_go_back, run, memory)
    return replace(definition, step=step, load=load)


def _load_and_go_back(run: LiveRun, memory: Memory, path: Path) -> None:
    run.load(path)
    memory.count = 1


def _step_from_before(run: LiveRun, memory: Memory, number: int) -> Any:
    return take_step(run, max(number - memory.count, 0))


def _reads_its_number(make_run: MakeRun, steps: int, at: Sequence[int]) -> bool:
    ends: list[End] = []
    for number in (max(at), max(at) - 1, max(at)):
        run = build(make_run, FIRST_SEED)
        run.train(max(at))
        try:
            output = take_step(run, max(number, 0))
        except Exception:  # A run may refuse a number out of order.
            return False
        ends.append(([{"output": output}], capture(run.components, hidden=False)))
    first, other, again = ends
    return bool(differing(first, other) - noise(first, again))


class _Best:
    """The weights that a run has set aside."""

    def __init__(self) -> None:
        self.weights: dict[str, torch.Tensor] = {}


def _set_aside(definition: TrainingRun) -> TrainingRun:
    run, best = LiveRun(definition), _Best()
    step = None if definition.step is None else partial(_step_and_set_aside, run, best)
    return replace(
        definition, step=step, save=partial(_save_with_best, run, best), load=partial(_load_with_best, run, best)
    )


def _step_and_set_aside(run: LiveRun, best: _Best, number: int) -> Any:
    output = take_step(run, number)
    if not best.weights:
        best.weights = {name: p.detach() for module in modules(run) for name, p in module.named_parameters()}
    return output


def _save_with_best(run: LiveRun, best: _Best, path: Path) -> None:
    run.save(path)
    torch.save(best.weights, path.with_name(f"{path.name}.best"))


def _load_with_best(run: LiveRun, best: _Best, path: Path) -> None:
    run.load(path)
    best.weights = torch.load(path.with_name(f"{path.name}.best"))


def _predict_by_threshold(definition: TrainingRun) -> TrainingRun:
    if definition.predict is None:
        return definition
    run, memory = LiveRun(definition), Memory()
    return replace(definition, step=partial(_step_and_tune, run, memory), predict=partial(_predict, run, memory))


def _step_and_tune(run: LiveRun, memory: Memory, number: int) -> Any:
    memory.count += 1
    return take_step(run, number)


def _predict(run: LiveRun, memory: Memory) -> dict[str, Any]:
    return {"scores": run.predict(), "threshold": memory.count / 10}


def _predicts_and_trains(make_run: MakeRun, steps: int, at: Sequence[int]) -> bool:
    definition = build(make_run, FIRST_SEED).definition
    return definition.predict is not None and definition.step is not None and max(at) > 0


HIDDEN: tuple[Fault, ...] = (
    Fault(
        name="lose_counter",
        summary="A counter that the training depends on is a plain attribute, and no checkpoint holds it.",
        seen_by=("resume_is_exact",),
        inject=injecting(_lose_counter),
        applies=unless("The run has no step=, or trains no parameter of a module.", trains),
    ),
    Fault(
        name="off_by_one_step",
        summary="A resumed run goes on with the number of the step it was saved after, and repeats its batch.",
        seen_by=("resume_is_exact",),
        inject=injecting(_repeat_a_step),
        applies=unless("step(i) does not depend on i.", _reads_its_number),
    ),
    Fault(
        name="keep_weights_by_reference",
        summary="The best weights so far are set aside as model.state_dict(), and follow the model.",
        seen_by=("kept_weights_are_copies",),
        inject=injecting(_set_aside),
        applies=unless("The run has no step=, or trains no parameter of a module.", trains),
    ),
    Fault(
        name="prediction_depends_on_hidden_state",
        summary="A threshold that training tunes is a plain attribute, and predictions depend on it.",
        seen_by=("outputs_are_restored",),
        inject=injecting(_predict_by_threshold),
        applies=unless("The run has no predict=, or no step=.", _predicts_and_trains),
    ),
)

"""A checkpoint that is right where it was saved, and not on another device or another machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pytest_ckpt.devices import world
from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.parts import modules, optimizers
from pytest_ckpt.faults.wrapping import after_loading, injecting
from pytest_ckpt.runs import LiveRun, MakeRun, TrainingRun, build, isolated, takes_device
from pytest_ckpt.runs.shared_state import SharedState
from pytest_ckpt.state import get_random_state, set_random_state
from pytest_ckpt.trips import FIRST_SEED

__all__ = ["MOVING"]

_DEVICE = "cuda:1"


def _leave_on_the_cpu(run: LiveRun, noted: object) -> None:
    for state in _states(run):
        for key, value in state.items():
            if isinstance(value, torch.Tensor):
                state[key] = value.cpu()


def _states(run: LiveRun) -> list[Any]:
    return [state for optimizer in optimizers(run) for state in optimizer.state.values() if hasattr(state, "items")]


def _random_state_of_devices(run: LiveRun) -> dict[str, Any]:
    return {name: state for name, state in get_random_state().items() if ":" in name}


def _keep_it(run: LiveRun, noted: dict[str, Any]) -> None:
    set_random_state(noted)


def _save_a_sample(definition: TrainingRun) -> TrainingRun:
    run = LiveRun(definition)
    return replace(definition, save=partial(_save_with_sample, run), load=partial(_load_with_sample, run))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sample")


def _save_with_sample(run: LiveRun, path: Path) -> None:
    run.save(path)
    torch.save(next(_parameters(run)).detach().clone(), _beside(path))


def _load_with_sample(run: LiveRun, path: Path) -> None:
    torch.load(_beside(path))
    run.load(path)


def _parameters(run: LiveRun) -> Any:
    return (parameter for module in modules(run) for parameter in module.parameters())


def _unless(
    reason: str, holds: Callable[[LiveRun, int], bool], make_run: MakeRun, steps: int, at: Sequence[int]
) -> str | None:
    """Ask a run on the device, real or simulated, trained as far as the last checkpoint."""
    if not takes_device(make_run):
        return "make_run has no parameter 'device'."
    with isolated(), world(_DEVICE) as here:
        made: Any = partial(make_run, device=here.runs_on)  # type: ignore[call-arg]
        try:
            run = build(SharedState(made).fresh, FIRST_SEED)
            run.train(max(at))
            return None if holds(run, steps) else reason
        except Exception as error:  # The program cannot be trained there, with or without a checkpoint.
            return f"On {here.name} the run raises {type(error).__name__}."


def _has_state(run: LiveRun, steps: int) -> bool:
    state = [value for state in _states(run) for value in state.values() if isinstance(value, torch.Tensor)]
    return any(tensor.dim() > 0 and tensor.device.type == "cuda" for tensor in state)


def _draws(run: LiveRun, steps: int) -> bool:
    before = _random_state_of_devices(run)
    run.train(steps)
    return any(not torch.equal(state, before[name]) for name, state in _random_state_of_devices(run).items())


def _has_parameters(run: LiveRun, steps: int) -> bool:
    return any(parameter.device.type == "cuda" for parameter in _parameters(run))


MOVING: tuple[Fault, ...] = (
    Fault(
        name="optimizer_state_stays_on_the_cpu",
        summary="load brings the optimizer's state to the CPU, and the model is on another device.",
        seen_by=("placement_cuda_to_cuda", "placement_cpu_to_cuda"),
        inject=injecting(after_loading(_leave_on_the_cpu)),
        applies=partial(_unless, "No optimizer keeps tensors on the run's device.", _has_state),
    ),
    Fault(
        name="keep_random_state_of_devices",
        summary="load restores the random state of the CPU, and not those of other devices.",
        seen_by=("placement_cuda_to_cuda",),
        inject=injecting(after_loading(_keep_it, _random_state_of_devices)),
        applies=partial(_unless, "Training draws no random numbers on its device.", _draws),
    ),
    Fault(
        name="load_wants_the_saved_device",
        summary="load reads a file without map_location, and wants the device that it was saved on.",
        seen_by=("placement_cuda_to_cpu", "placement_to_fewer_devices"),
        inject=injecting(_save_a_sample),
        applies=partial(_unless, "No module has a parameter on the run's device.", _has_parameters),
    ),
)

"""``training_runs()``: whole training programs, put together from what the other strategies draw."""

from __future__ import annotations

from typing import Any

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch import nn
from torch.optim import ASGD, NAdam, Optimizer

from pytest_ckpt.strategies.networks.calls import ModuleRecipe, call
from pytest_ckpt.strategies.networks.drawing import Options
from pytest_ckpt.strategies.networks.recipes import bytes_of_module, draw_module
from pytest_ckpt.strategies.networks.shapes import Tokens
from pytest_ckpt.strategies.optimization.choices import Choice, draw_arguments
from pytest_ckpt.strategies.optimization.companions import AVERAGING, pick_scaling
from pytest_ckpt.strategies.optimization.optimizer_kinds import Gradients, optimizer_kinds
from pytest_ckpt.strategies.optimization.optimizer_recipes import OptimizerRecipe, Wanted, draw_recipe
from pytest_ckpt.strategies.optimization.scheduler_recipes import draw_scheduler
from pytest_ckpt.strategies.runs.drawn_run import DrawnRun, Part
from pytest_ckpt.strategies.state.drawing import PROGRAM_BLOCK, AtOnce, Numbers, draw_block

__all__ = ["training_runs"]

_CHOICES: tuple[Choice, ...] = (
    ({}, {"data": "shuffled"}, {"data": "own generator"}),
    ({}, {"noise": "torch"}, {"noise": "python"}),
    ({}, {}, {"accumulate": 2}, {"accumulate": 3}),
    ({}, {"clip": "norm"}, {"clip": "value"}),
    ({}, {}, {"averaging": True}),
    ({}, {}, {"scaler": True}),
    ({}, {"saves": True}),
    ({}, {}, {}, {"parts": 2}),
    ({},) * 9 + ({"sparse": True},),
)
# What decides on each part of a run; what needs more begins again with the first byte.
_RUN_BYTES, _OPTIMIZER_BYTES, _SCHEDULER_BYTES = 18, 16, 10
_MAX_PARTS = 3  # of a scheduler that is made of others
# torch cannot deep-copy a module with one of these, and averaged weights begin as a copy.
_NOT_COPIED = frozenset({"old weight norm", "old spectral norm"})


def training_runs(
    *, max_models: int = 2, max_layers: int = 2, max_nesting: int = 1, max_steps: int = 20
) -> SearchStrategy[DrawnRun]:
    """Generate correct training programs: what any of them needs for a resume is in its checkpoint.

    A drawn run is a ``make_run``, for :func:`~pytest_ckpt.check_training_run` and whatever else takes one. Its models,
    optimizers and schedulers are those of :func:`modules`, :func:`optimizers` and :func:`schedulers`, registered ones
    among them. Shrinks towards one linear layer and SGD, with batches by the number of the step.

    Args:
        max_models: Models, each with its optimizer, at most.
        max_layers: Layers of a model in a row, at most.
        max_nesting: Levels of layers within layers, at most.
        max_steps: How many steps a run can be trained for at least.
    """
    return _training_runs(max_models, max_layers, max_nesting, max_steps)


@st.composite
def _training_runs(draw: DrawFn, max_models: int, max_layers: int, max_nesting: int, max_steps: int) -> DrawnRun:
    # All of them whatever is used, so that any run takes as many as another: variations of one would end too early.
    part = (bytes_of_module(max_layers), _OPTIMIZER_BYTES, _SCHEDULER_BYTES)
    at_once = AtOnce(draw, (_RUN_BYTES, *part * max_models, _OPTIMIZER_BYTES))
    numbers = Numbers(draw_block(at_once, PROGRAM_BLOCK))
    chosen: dict[str, Any] = dict(draw_arguments(at_once, numbers, _CHOICES))
    sparse = chosen.pop("sparse", False)
    count = min(chosen.pop("parts", 1), max_models)
    parts = [
        _draw_part(at_once, max_layers, max_nesting, max_steps, scheduled=bool(numbers.below(2))) for _ in range(count)
    ]
    if sparse:
        parts[0] = Part(model=_SPARSE_MODEL, optimizer=draw_recipe(at_once, _wanted(None, "sparse")))
    if chosen.pop("averaging", False) and _NOT_COPIED.isdisjoint(parts[0].model.kinds):
        chosen["averaging"] = numbers.pick(AVERAGING)
    if chosen.pop("scaler", False) and not any(_refuses_scaling(part.optimizer) for part in parts):
        chosen["scaler"] = pick_scaling(numbers)
    if sparse:
        chosen.pop("clip", None)  # torch clips no sparse gradients
    run = DrawnRun(parts=tuple(parts), **chosen)
    for words in _events(run):
        event(words)
    return run


def _draw_part(draw: AtOnce, max_layers: int, max_nesting: int, max_steps: int, *, scheduled: bool) -> Part:
    model = draw_module(draw, Options(lazy=True), min_layers=1, max_layers=max_layers, max_nesting=max_nesting)
    optimizer = draw_recipe(draw, _wanted(_classes_for(model), "dense"))
    if scheduled:
        return Part(model=model, optimizer=optimizer, scheduler=draw_scheduler(draw, None, max_steps, _MAX_PARTS))
    draw.block()
    return Part(model=model, optimizer=optimizer)


def _wanted(classes: tuple[type[Optimizer], ...] | None, gradients: Gradients) -> Wanted:
    return Wanted(classes=classes, gradients=gradients, min_groups=1, max_groups=3)


def _classes_for(model: ModuleRecipe) -> tuple[type[Optimizer], ...] | None:
    """Return the optimizers that can be resumed with a model; ``None`` for any.

    Numbers that these two keep as float32 come back in the dtype of the parameter: see
    ``torch.optim.Optimizer._process_value_according_to_param_policy``.
    """
    if "mixed dtype" not in model.kinds:
        return None
    return tuple(kind.cls for kind in optimizer_kinds() if kind.cls not in (ASGD, NAdam))


_SPARSE_MODEL = ModuleRecipe(
    body=call(nn.Embedding, 6, 3, sparse=True),
    inputs=Tokens(batch=2, length=3, features=6),
    kinds=("sparse embedding",),
)


def _refuses_scaling(optimizer: OptimizerRecipe) -> bool:
    """Whether ``GradScaler.step`` cannot be used: it passes no closure on, and unscales dense gradients only."""
    return optimizer.needs_closure or optimizer.gradients == "sparse"


def _events(run: DrawnRun) -> list[str]:
    features = {
        "several models": len(run.parts) > 1,
        "a schedule": any(part.scheduler is not None for part in run.parts),
        f"data {run.data}": True,
        f"noise from {run.noise}": bool(run.noise),
        "accumulated gradients": run.accumulate > 1,
        f"clipping by {run.clip}": bool(run.clip),
        "averaged weights": run.averaging is not None,
        "a scaler": run.scaler is not None,
        "its own save and load": run.saves,
        "sparse gradients": any(part.optimizer.gradients == "sparse" for part in run.parts),
    }
    return [f"run: {words}" for words, there in features.items() if there]

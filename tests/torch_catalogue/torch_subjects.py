"""What goes through the formats: each way to make a module, an optimizer or a scheduler of torch, as a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch_databases import ModuleSample, OptimizerConfiguration, module_samples, optimizer_configurations
from torch_other_modules import OTHER_MODULES, Recipe
from torch_schedulers import SCHEDULERS

from pytest_ckpt import TrainingRun, module_run, optimizer_run, scheduler_run
from pytest_ckpt.runs import MakeRun

__all__ = [
    "TORCH_WARNINGS",
    "Subject",
    "all_subjects",
    "eval_mode_run",
    "module_subjects",
    "optimizer_subjects",
    "other_module_subjects",
    "scheduler_subjects",
    "train_mode_run",
]

TORCH_WARNINGS = (
    # What some of the inputs in torch's own database make torch say,
    "ignore:enable_nested_tensor is True:UserWarning",
    "ignore:reduction. 'mean' divides the total loss:UserWarning",
    "ignore:linear_cross_entropy. ``options`` ignored:UserWarning",
    "ignore:LSTM with projections is not supported with oneDNN:UserWarning",
    # and what it says of an old function that is still there.
    "ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning",
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Subject:
    """A way to make a run.

    Attributes:
        name: Says which, within its class.
        make_run: Makes it.
        trains: Whether it has a training step.
    """

    name: str
    make_run: MakeRun
    trains: bool = True


def all_subjects() -> dict[str, tuple[Subject, ...]]:
    """Return every subject by the name of its class."""
    return {**module_subjects(), **other_module_subjects(), **optimizer_subjects(), **scheduler_subjects()}


def module_subjects() -> dict[str, tuple[Subject, ...]]:
    """Return one subject per distinct call of each module class; lazy ones also before their first input."""
    return {name: tuple(_of_class(samples)) for name, samples in module_samples().items()}


def _of_class(samples: tuple[ModuleSample, ...]) -> list[Subject]:
    distinct: dict[str, ModuleSample] = {}
    for sample in samples:
        distinct.setdefault(sample.call, sample)
    subjects = [Subject(name=call, make_run=train_mode_run(sample)) for call, sample in distinct.items()]
    if issubclass(samples[0].module_class, torch.nn.modules.lazy.LazyModuleMixin):
        subjects += [
            Subject(name=f"{call} untouched", make_run=partial(_untouched, sample.make), trains=False)
            for call, sample in distinct.items()
        ]
    return subjects


def train_mode_run(sample: ModuleSample) -> MakeRun:
    """Return a ``make_run`` that trains a module on its inputs."""
    return module_run(sample.make, inputs=sample.make_inputs)


def eval_mode_run(sample: ModuleSample) -> MakeRun:
    """Return a ``make_run`` that trains a module that stays in eval mode, as a frozen batch norm does."""
    return module_run(lambda: _InEvalMode(sample.make()), inputs=sample.make_inputs)


def _untouched(make_module: Callable[[], torch.nn.Module]) -> TrainingRun:
    return TrainingRun(components={"model": make_module()})


class _InEvalMode(torch.nn.Module):
    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def train(self, mode: bool = True) -> _InEvalMode:
        return super().train(False)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)


def other_module_subjects() -> dict[str, tuple[Subject, ...]]:
    """Return one subject per module that torch's database leaves out; lazy ones also before their first input."""
    return {f"nn.{name}": tuple(_of_recipe(name, recipe)) for name, recipe in OTHER_MODULES.items()}


def _of_recipe(name: str, recipe: Recipe) -> list[Subject]:
    untouched = Subject(name=f"{name} untouched", make_run=partial(_untouched, recipe.make), trains=False)
    if recipe.inputs is None:
        return [untouched]
    trained = Subject(name=name, make_run=module_run(recipe.make, inputs=recipe.inputs))
    return [trained, untouched] if name.startswith("Lazy") else [trained]


def optimizer_subjects() -> dict[str, tuple[Subject, ...]]:
    """Return one subject per configuration of each optimizer."""
    return {
        f"optim.{name}": tuple(
            Subject(name=f"{name} ({item.description})", make_run=_optimizer_run(item)) for item in configurations
        )
        for name, configurations in optimizer_configurations().items()
    }


def _optimizer_run(configuration: OptimizerConfiguration) -> MakeRun:
    if configuration.optimizer_class is torch.optim.SparseAdam:
        return partial(_sparse_run, configuration)
    if configuration.kwargs.get("differentiable"):
        return partial(_differentiable_run, configuration)
    if configuration.optimizer_class.__name__ == "Muon":  # for matrices only; older ones have no such name
        return optimizer_run(lambda parameters: configuration.make([p for p in parameters if p.ndim == 2]))
    return optimizer_run(configuration.make)


def _sparse_run(configuration: OptimizerConfiguration) -> TrainingRun:
    model = torch.nn.Embedding(6, 3, sparse=True)
    optimizer = configuration.make(list(model.parameters()))

    def step(number: int) -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = model(torch.tensor([number % 6, (number + 2) % 6])).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    components = {"model": model, "optimizer": optimizer}
    return TrainingRun(components=components, step=step, predict=lambda: model(torch.arange(6)))


def _differentiable_run(configuration: OptimizerConfiguration) -> TrainingRun:
    # Such an optimizer records its own step, and autograd lets nobody change a leaf that requires gradients.
    model = torch.nn.Linear(4, 2).requires_grad_(False)
    optimizer = configuration.make(list(model.parameters()))

    def step(number: int) -> torch.Tensor:
        leaves = {name: value.clone().requires_grad_() for name, value in model.named_parameters()}
        batch = torch.full((3, 4), 0.1 * (number + 1))
        loss: torch.Tensor = torch.func.functional_call(model, leaves, batch).square().mean()
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        return loss

    components = {"model": model, "optimizer": optimizer}
    return TrainingRun(components=components, step=step, predict=lambda: model(torch.ones(1, 4)))


def scheduler_subjects() -> dict[str, tuple[Subject, ...]]:
    """Return one subject per configuration of each scheduler."""
    return {
        f"lr_scheduler.{name}": tuple(
            Subject(name=description, make_run=scheduler_run(make)) for description, make in configurations.items()
        )
        for name, configurations in SCHEDULERS.items()
    }

"""Many draws of a strategy, and training runs around what was drawn."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from pytest_ckpt import TrainingRun
from pytest_ckpt.runs import MakeRun
from pytest_ckpt.strategies.optimization.optimizer_recipes import OptimizerRecipe
from pytest_ckpt.strategies.optimization.scheduler_recipes import SchedulerRecipe

T = TypeVar("T")


def many(strategy: SearchStrategy[T], count: int) -> list[T]:
    """Return what so many draws gave, the same in every run."""
    found: list[T] = []

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(value: T) -> None:
        found.append(value)

    draw()
    return found


def network(dtype: torch.dtype = torch.float32) -> torch.nn.Sequential:
    layers = torch.nn.Linear(6, 8, dtype=dtype), torch.nn.Tanh(), torch.nn.Linear(8, 3, dtype=dtype)
    return torch.nn.Sequential(*layers)


class Embeddings(torch.nn.Module):
    """Two of them, so that there can be two param groups."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Embedding(6, 4, sparse=True)
        self.second = torch.nn.Embedding(6, 2, sparse=True)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.first(batch), self.second(batch)], dim=1)


def run_of(optimizer: OptimizerRecipe, scheduler: SchedulerRecipe | None = None) -> MakeRun:
    """Return a ``make_run`` of a small network, or of embeddings where the gradients are to be sparse."""

    def make_run() -> TrainingRun:
        sparse = optimizer.gradients == "sparse"
        model: torch.nn.Module = Embeddings() if sparse else network()
        made = optimizer.build(list(model.named_parameters()))
        components: dict[str, Any] = {"model": model, "optimizer": made}
        if scheduler is not None:
            components["scheduler"] = scheduler.build(made)

        def step(number: int) -> torch.Tensor:
            generator = torch.Generator().manual_seed(number)
            batch = torch.randint(6, (4,), generator=generator) if sparse else torch.randn(4, 6, generator=generator)

            def closure() -> Any:
                made.zero_grad()
                loss = model(batch).square().mean()
                loss.backward()
                return loss

            loss: torch.Tensor = closure()
            made.step(closure) if optimizer.needs_closure else made.step()
            if scheduler is not None:
                components["scheduler"].step(*([loss.item()] if scheduler.needs_metric else []))
            return loss

        return TrainingRun(components=components, step=step)

    return make_run

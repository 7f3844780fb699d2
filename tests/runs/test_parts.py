"""Runs around one custom part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from pytest_ckpt import module_run, optimizer_run, scheduler_run
from pytest_ckpt.comparison import compare
from pytest_ckpt.errors import UsageError
from pytest_ckpt.runs import LiveRun, build
from pytest_ckpt.state import capture, get_random_state, set_random_state


@pytest.fixture(autouse=True)
def _random_state_as_before() -> Iterator[None]:
    before = get_random_state()
    yield
    set_random_state(before)


def changes(run: LiveRun, steps: int = 2) -> set[str]:
    before = capture(run.components)
    run.train(steps)
    return {m.path for m in compare(before.state, capture(run.components).state)}


class Sum(nn.Module):
    """Takes its inputs by position or by name and returns all that a module may return."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> Any:
        total = self.weight * left + right
        return {"total": total, "more": [total.bfloat16(), (torch.complex(total, total), torch.tensor(3), "text")]}


INPUTS: dict[str, Any] = {
    "tuple": (torch.ones(2), torch.zeros(2)),
    "mapping": {"left": torch.ones(2), "right": torch.zeros(2)},
    "function of a tuple": lambda: (torch.rand(2), torch.rand(2)),
    "function of a mapping": lambda: {"left": torch.rand(2), "right": torch.rand(2)},
}


@pytest.mark.parametrize("kind", INPUTS)
def test_a_module_is_trained_on_its_inputs(kind: str) -> None:
    run = build(module_run(Sum, inputs=INPUTS[kind]), 1)

    assert "model.weight" in changes(run)
    assert run.definition.name == "Sum"
    assert list(run.components) == ["model", "optimizer"]


def test_a_single_tensor_is_the_only_argument() -> None:
    run = build(module_run(lambda: nn.Linear(2, 1), inputs=torch.ones(3, 2)), 1)

    losses = [record["output"] for record in run.train(3)]

    assert losses[0] > losses[1] > losses[2]


def test_the_loss_is_the_mean_square_of_every_output() -> None:
    run = build(module_run(Sum, inputs=(torch.ones(2), torch.zeros(2))), 1)

    assert run.train(1)[0]["output"].item() == 1 + 1 + 2


def test_inputs_depend_on_the_step_alone() -> None:
    def losses(seed: int, start: int) -> list[float]:
        run = build(module_run(nn.Identity, inputs=lambda: torch.rand(3)), seed)
        run.steps_done = start
        return [record["output"].item() for record in run.train(4)]

    assert losses(1, 0)[2:] == losses(2, 2)
    assert len(set(losses(1, 0))) == 4


def test_making_inputs_draws_nothing_from_the_run() -> None:
    run = build(module_run(nn.Identity, inputs=lambda: torch.rand(3)), 1)
    before = get_random_state()

    run.train(2)
    run.predict()

    assert not compare(before, get_random_state())


def test_a_module_is_trained_in_train_mode_and_predicts_in_eval_mode() -> None:
    run = build(module_run(lambda: nn.Sequential(nn.Linear(2, 8), nn.Dropout()), inputs=torch.ones(1, 2)), 1)
    run.components["model"].eval()

    run.train(1)

    assert run.components["model"].training
    assert torch.equal(run.predict(), run.predict())


def test_a_module_without_parameters_has_no_optimizer() -> None:
    run = build(module_run(lambda: nn.BatchNorm1d(2, affine=False), inputs=lambda: torch.rand(4, 2)), 1)

    assert list(run.components) == ["model"]
    assert changes(run) == {"model.running_mean", "model.running_var", "model.num_batches_tracked"}


def test_frozen_parameters_are_not_trained() -> None:
    def make() -> nn.Module:
        module = nn.Linear(1, 1)
        module.bias.requires_grad_(False)
        return module

    changed = changes(build(module_run(make, inputs=torch.ones(1, 1)), 1))

    assert "model.weight" in changed
    assert "model.bias" not in changed


def test_a_module_with_nothing_to_train_has_no_optimizer() -> None:
    run = build(module_run(lambda: nn.Linear(1, 1).requires_grad_(False), inputs=torch.ones(1, 1)), 1)

    assert list(run.components) == ["model"]
    assert changes(run) == set()


def test_a_module_of_integers_has_a_loss_of_zero() -> None:
    run = build(module_run(nn.Identity, inputs=torch.tensor([3])), 1)

    assert run.train(1)[0]["output"].item() == 0


@pytest.mark.parametrize("affine", [True, False])
def test_a_lazy_module_is_ready_before_the_first_step(affine: bool) -> None:
    make = module_run(lambda: nn.LazyBatchNorm1d(affine=affine), inputs=lambda: torch.rand(4, 3))

    state = build(make, 1).components["model"].state_dict()

    assert state["running_mean"].shape == (3,)


def test_the_factory_must_make_a_module() -> None:
    with pytest.raises(UsageError) as caught:
        build(module_run(lambda: 3, inputs=torch.ones(1)), 1)  # type: ignore[arg-type,return-value]

    assert str(caught.value) == "module_run() got a factory of int, not of a module."


OPTIMIZERS: dict[str, Callable[[list[nn.Parameter]], Any]] = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "Adam": lambda parameters: torch.optim.Adam([{"params": parameters[:1]}, {"params": parameters[1:]}]),
    "Rprop": torch.optim.Rprop,
    "LBFGS": lambda parameters: torch.optim.LBFGS(parameters, max_iter=2),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_trains_a_small_network(name: str) -> None:
    run = build(optimizer_run(OPTIMIZERS[name]), 1)

    changed = changes(run, 3)

    assert list(run.components) == ["model", "optimizer"]
    assert run.definition.name == name
    assert {"model.0.weight", "model.0.bias", "model.2.weight", "model.2.bias"} <= changed
    assert any(path.startswith("optimizer.state") for path in changed)
    assert run.predict().shape == (4, 3)


def test_each_step_has_a_batch_and_a_gradient_of_its_own() -> None:
    def run(start: int) -> tuple[list[Any], torch.Tensor | None]:
        made = build(optimizer_run(lambda parameters: torch.optim.SGD(parameters, lr=0.0)), 1)
        made.steps_done = start
        losses = [record["output"].item() for record in made.train(3)]
        return losses, made.components["model"][0].weight.grad

    (losses, gradient), (last_loss, last_gradient) = run(0), run(2)

    assert len(set(losses)) == 3
    assert losses[2:] == last_loss
    assert not compare(gradient, last_gradient)


class NeedsClosure(torch.optim.SGD):
    """Calls its closure, which therefore has to be given."""

    calls = 0

    def step(self, closure: Any) -> Any:  # type: ignore[override]
        self.calls += 1
        return super().step(closure)


def test_a_closure_is_given_where_it_is_needed() -> None:
    run = build(optimizer_run(lambda parameters: NeedsClosure(parameters, lr=0.1)), 1)

    run.train(2)

    assert run.components["optimizer"].calls == 2


SCHEDULERS: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "StepLR": lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 1),
    "ReduceLROnPlateau": lambda optimizer: torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, patience=0, threshold=10.0
    ),
    "OneCycleLR": lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=9),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_moves_the_learning_rate(name: str) -> None:
    run = build(scheduler_run(SCHEDULERS[name]), 1)

    rates = [record["lr"]["optimizer"][0] for record in run.train(4)]

    assert list(run.components) == ["model", "optimizer", "scheduler"]
    assert run.definition.name == name
    assert len(set(rates)) > 1
    assert run.predict().shape == (4, 3)


@pytest.mark.parametrize(
    "make",
    [
        module_run(lambda: nn.Linear(2, 1), inputs=lambda: torch.rand(3, 2)),
        optimizer_run(torch.optim.Adam),
        scheduler_run(SCHEDULERS["StepLR"]),
    ],
    ids=["module", "optimizer", "scheduler"],
)
def test_the_same_seed_makes_the_same_run_and_another_seed_another(make: Callable[[], Any]) -> None:
    def losses(seed: int) -> list[Any]:
        return build(make, seed).train(3)

    assert not compare(losses(1), losses(1))
    assert compare(losses(1), losses(2))

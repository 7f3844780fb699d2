"""``LiveRun``: every call into the project's code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from pytest_ckpt import TrainingRun
from pytest_ckpt.errors import UsageError
from pytest_ckpt.runs import LiveRun, as_training_run, build
from pytest_ckpt.state import get_random_state, set_random_state


@pytest.fixture(autouse=True)
def _random_state_as_before() -> Iterator[None]:
    before = get_random_state()
    yield
    set_random_state(before)


class Counter:
    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def live(**arguments: Any) -> LiveRun:
    return LiveRun(TrainingRun(**{"components": {}, **arguments}))


def test_what_make_run_may_return() -> None:
    module, counter = nn.Linear(1, 1), Counter()
    run = TrainingRun({"m": module})
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (run, {"m": module}, ""),
        (module, {"model": module}, "Linear"),
        ({"a": module, "b": counter}, {"a": module, "b": counter}, ""),
        (counter, {"counter": counter}, "Counter"),
        (SimpleNamespace(net=module, n=1), {"net": module}, "SimpleNamespace"),
    ]
    for made, components, name in cases:
        described = as_training_run(made)
        assert (LiveRun(described).components, described.name) == (components, name)
    assert as_training_run(run) is run


def test_make_run_must_return_something() -> None:
    with pytest.raises(UsageError) as caught:
        build(lambda: None, 1)

    assert str(caught.value) == ("make_run returned None. Return a TrainingRun, a module, a mapping or a trainer.")


@pytest.mark.parametrize("made", [nn.Linear(1, 1), {"model": 1}])
def test_make_run_must_be_a_function(made: Any) -> None:
    with pytest.raises(UsageError) as caught:
        build(made, 1)

    assert str(caught.value) == (
        f"make_run is a {type(made).__name__}; a check takes a factory, not an object: a function "
        "without arguments that makes a fresh run at each call."
    )


def test_a_run_is_built_under_its_seed() -> None:
    def weight(seed: int) -> float:
        run = build(lambda: nn.Linear(1, 1), seed)
        return float(run.components["model"].weight.item())

    assert weight(1) == weight(1) != weight(2)


def test_components_may_be_a_function() -> None:
    found: dict[str, Any] = {"a": nn.Linear(1, 1)}
    run = live(components=lambda: found)

    found["b"] = nn.Linear(1, 1)

    assert run.components == found


def test_a_function_of_components_must_return_a_mapping() -> None:
    with pytest.raises(UsageError) as caught:
        live(components=lambda: [1]).components  # noqa: B018

    assert str(caught.value) == "components() returned a list, not a mapping."


STEPS: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "number": (lambda number: number, [2, 3]),
    "default": (lambda number=7: number, [2, 3]),
    "any": (lambda *args: args, [(2,), (3,)]),
    "none": (lambda: "done", ["done", "done"]),
    "keyword only": (lambda *, flag=1: flag, [1, 1]),
}


@pytest.mark.parametrize("kind", STEPS)
def test_a_step_may_take_its_number_or_not(kind: str) -> None:
    step, outputs = STEPS[kind]
    run = live(step=step)
    run.steps_done = 2

    assert [record["output"] for record in run.train(4)] == outputs
    assert run.steps_done == 4
    assert run.train(4) == []


def test_without_a_step_nothing_is_trained() -> None:
    assert live().train(2) == [{"output": None, "lr": {}}] * 2


def test_a_record_holds_the_output_as_it_was() -> None:
    weight = torch.zeros(1)

    records = live(step=lambda number: {"loss": weight.add_(1), "number": number}).train(2)

    assert [record["output"]["loss"].item() for record in records] == [1, 2]


def test_a_record_holds_the_learning_rates_of_each_group() -> None:
    model = nn.Linear(1, 1)
    groups: list[dict[str, Any]] = [{"params": [model.weight]}, {"params": [model.bias], "lr": torch.tensor(0.5)}]
    optimizer = torch.optim.SGD(groups, lr=0.25)

    def step(number: int) -> None:
        optimizer.param_groups[0]["lr"] *= 2
        optimizer.param_groups[1]["lr"].mul_(2)

    records = live(components={"model": model, "opt": optimizer}, step=step).train(2)

    assert [record["lr"] for record in records] == [
        {"opt": [0.5, torch.tensor(1.0)]},
        {"opt": [1.0, torch.tensor(2.0)]},
    ]


def test_predictions_are_made_in_eval_mode_without_gradients() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Dropout(), nn.BatchNorm1d(1))
    model[2].eval()
    ema = nn.Linear(1, 1)
    seen: list[Any] = []

    def predict() -> torch.Tensor:
        seen.append([part.training for part in (*model.modules(), ema)] + [torch.is_grad_enabled()])
        output: torch.Tensor = model(torch.ones(2, 1))
        return output

    run = live(components={"model": model, "ema": ema}, predict=predict)
    first, second = run.predict(), run.predict()

    assert seen == [[False] * 6] * 2
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert [part.training for part in (*model.modules(), ema)] == [True, True, True, False, True]
    assert torch.is_grad_enabled()


def test_modes_come_back_when_predict_raises() -> None:
    model = nn.Sequential(nn.Dropout(), nn.Dropout())
    model[0].eval()

    def predict() -> None:
        model[1].train()
        raise RuntimeError("no data")

    with pytest.raises(RuntimeError, match="no data"):
        live(components={"model": model}, predict=predict).predict()

    assert [part.training for part in model.modules()] == [True, False, True]


def test_a_run_without_predict_predicts_nothing() -> None:
    assert live().predict() is None


def test_save_and_load_get_the_path() -> None:
    calls: list[Any] = []
    run = live(save=lambda path: calls.append(("save", path)), load=lambda path: calls.append(("load", path)))

    run.save(Path("a.pt"))
    run.load(Path("b.pt"))

    assert calls == [("save", Path("a.pt")), ("load", Path("b.pt"))]


def test_functions_that_join_strings_get_a_string() -> None:
    calls: list[str] = []
    run = live(
        save=lambda path: calls.append(path + ".index"),
        load=lambda path: calls.append(path.removesuffix(".pt")),
    )

    run.save(Path("a.pt"))
    run.load(Path("b.pt"))

    assert calls == ["a.pt.index", "b"]


def test_other_errors_of_save_are_its_own() -> None:
    calls: list[Any] = []

    def save(path: Path) -> None:
        calls.append(path)
        raise TypeError("cannot pickle a lock")

    with pytest.raises(TypeError, match="cannot pickle a lock"):
        live(save=save, load=save).save(Path("a.pt"))

    assert len(calls) == 1

"""Blame names what was lost, wherever it was kept, and nothing that merely differs."""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from zoo_parts import batch, fit, mlp

from pytest_ckpt import Outcome, TrainingRun, check_training_run
from pytest_ckpt.state.hidden import walk_graph

MADE = itertools.count()


class Trainer:
    """Saves model, optimizer and random state, and nothing that a subclass adds."""

    def __init__(self) -> None:
        self.model = mlp()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)

    def factor(self, i: int) -> float:
        return 1.0

    def step(self, i: int) -> Any:
        return fit(self.model, self.optimizer, batch(i) * self.factor(i))

    def save(self, path: Path) -> None:
        torch.save([self.model.state_dict(), self.optimizer.state_dict(), torch.get_rng_state()], path)

    def load(self, path: Path) -> None:
        model, optimizer, generator = torch.load(path)
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)
        torch.set_rng_state(generator)

    def run(self) -> TrainingRun:
        components = {"model": self.model, "optimizer": self.optimizer}
        return TrainingRun(components=components, step=self.step, save=self.save, load=self.load)


class PythonCounter(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def factor(self, i: int) -> float:
        self.steps += 1
        return 1 / self.steps


class OrderOfAList(Trainer):
    """The same four numbers in every run, in another order after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.order = [1.0, 2.0, 3.0, 4.0]

    def factor(self, i: int) -> float:
        self.order.append(self.order.pop(0))
        return self.order[0]


class Window(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.window: deque[float] = deque(maxlen=3)

    def factor(self, i: int) -> float:
        self.window.append(float(i))
        return 1 + sum(self.window)


class ClassAttribute(Trainer):
    taken = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).taken = 0

    def factor(self, i: int) -> float:
        type(self).taken += 1
        return 1 / self.taken


class TorchGenerator(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(1)

    def factor(self, i: int) -> float:
        return torch.rand((), generator=self.generator).item()


class NumpyGenerator(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.generator = np.random.default_rng(1)

    def factor(self, i: int) -> float:
        return float(self.generator.random())


class PythonGenerator(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.generator = random.Random(1)

    def factor(self, i: int) -> float:
        return self.generator.random()


class GeneratorObject(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.factors = self.fall()

    @staticmethod
    def fall() -> Iterator[float]:
        value = 1.0
        while True:
            value *= 0.5
            yield value

    def factor(self, i: int) -> float:
        return next(self.factors)


class Sharpness(torch.optim.Optimizer):
    """Climbs before it descends; the optimizer inside is nobody's component and not in its state dict."""

    def __init__(self, params: Iterator[nn.Parameter]) -> None:
        super().__init__(params, {"rho": 0.05})
        self.base = torch.optim.Adam(self.param_groups[0]["params"], lr=0.01)

    def step(self, closure: Any = None) -> Any:
        return self.base.step(closure)


class NestedOptimizer(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.optimizer = Sharpness(self.model.parameters())  # type: ignore[assignment]


class HiddenAverage(Trainer):
    """The student follows a teacher that only the trainer knows."""

    def __init__(self) -> None:
        super().__init__()
        self.teacher = mlp()
        self.teacher.load_state_dict(self.model.state_dict())

    def factor(self, i: int) -> float:
        with torch.no_grad():
            for mine, theirs in zip(self.teacher.parameters(), self.model.parameters(), strict=True):
                mine.lerp_(theirs, 0.5)
            return float(self.teacher(batch(i)).sum())


class AccumulatedGradients(Trainer):
    def step(self, i: int) -> float:
        loss: torch.Tensor = self.model(batch(i)).square().mean()
        loss.backward()
        if i % 3 == 2:
            self.optimizer.step()
            self.optimizer.zero_grad()
        return loss.item()


class RandomState(Trainer):
    def factor(self, i: int) -> float:
        return random.random()


class TwoCulprits(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.generator = torch.Generator().manual_seed(1)

    def factor(self, i: int) -> float:
        self.steps += 1
        return torch.rand((), generator=self.generator).item() / self.steps


_TAKEN = 0


class ModuleGlobal(Trainer):
    def __init__(self) -> None:
        super().__init__()
        global _TAKEN
        _TAKEN = 0

    def factor(self, i: int) -> float:
        global _TAKEN
        _TAKEN += 1
        return 1 / _TAKEN


class GeneratorOfTheModule(Trainer):
    def factor(self, i: int) -> float:
        return _SHUFFLER.random()


_SHUFFLER = random.Random(5)


class WithoutOptimizer(Trainer):
    def load(self, path: Path) -> None:
        fresh = self.optimizer.state_dict()
        super().load(path)
        self.optimizer.load_state_dict(fresh)


class WithoutItsModel(Trainer):
    def load(self, path: Path) -> None:
        fresh = {name: value.clone() for name, value in self.model.state_dict().items()}
        super().load(path)
        self.model.load_state_dict(fresh)


def closure_variable() -> TrainingRun:
    trainer, taken = Trainer(), 0

    def step(i: int) -> Any:
        nonlocal taken
        taken += 1
        return fit(trainer.model, trainer.optimizer, batch(i) / taken)

    components = {"model": trainer.model, "optimizer": trainer.optimizer}
    return TrainingRun(components=components, step=step, save=trainer.save, load=trainer.load)


CULPRITS: dict[str, tuple[Callable[[], TrainingRun], tuple[str, ...]]] = {
    "python counter": (lambda: PythonCounter().run(), ("PythonCounter.steps",)),
    "order of a list": (lambda: OrderOfAList().run(), ("OrderOfAList.order",)),
    "deque": (lambda: Window().run(), ("Window.window",)),
    "closure variable": (closure_variable, ("taken",)),
    "class attribute": (lambda: ClassAttribute().run(), ("ClassAttribute.taken",)),
    "global of a module": (lambda: ModuleGlobal().run(), ("_TAKEN",)),
    "generator of a module": (lambda: GeneratorOfTheModule().run(), ("_SHUFFLER",)),
    "torch.Generator": (lambda: TorchGenerator().run(), ("TorchGenerator.generator",)),
    "numpy generator": (lambda: NumpyGenerator().run(), ("NumpyGenerator.generator",)),
    "python generator": (lambda: PythonGenerator().run(), ("PythonGenerator.generator",)),
    "generator object": (lambda: GeneratorObject().run(), ("GeneratorObject.factors",)),
    "nested optimizer": (lambda: NestedOptimizer().run(), ("optimizer.base",)),
    "hidden average": (lambda: HiddenAverage().run(), ("HiddenAverage.teacher",)),
    "gradients": (
        lambda: AccumulatedGradients().run(),
        ("model.0.weight.grad", "model.0.bias.grad", "model.2.weight.grad", "model.2.bias.grad"),
    ),
    "random state": (lambda: RandomState().run(), ("rng.python",)),
    "two at once": (lambda: TwoCulprits().run(), ("TwoCulprits.steps", "TwoCulprits.generator")),
    "optimizer": (lambda: WithoutOptimizer().run(), ("optimizer",)),
    "model": (lambda: WithoutItsModel().run(), ("model",)),
}


def resume(make_run: Callable[[], Any], **options: Any) -> Outcome:
    found = check_training_run(make_run, select=["resume_is_exact"], raise_on_failure=False, steps=5, **options)
    return found["resume_is_exact"]


@pytest.mark.parametrize("culprit", CULPRITS)
def test_the_culprit_is_named(culprit: str) -> None:
    make_run, paths = CULPRITS[culprit]

    outcome = resume(make_run)

    assert outcome.status == "fail"
    assert outcome.causes == paths
    them = "it" if len(paths) == 1 else "them"
    assert outcome.details[0] == f"To blame: {', '.join(paths)} (restoring {them} alone makes the runs agree)."


@pytest.mark.parametrize(
    ("culprit", "line"),
    [
        ("python counter", "    PythonCounter.steps: saved 1, loaded 0"),
        ("order of a list", "    OrderOfAList.order[0]: saved 2.0, loaded 1.0"),
        ("closure variable", "    taken: saved 1, loaded 0"),
        ("random state", "    rng.python: saved the random state of python when the run was saved, loaded another one"),
        ("gradients", "    model.0.weight.grad: saved float32 (6, 4), loaded None"),
    ],
)
def test_both_values_of_the_culprit_are_shown(culprit: str, line: str) -> None:
    assert line in resume(CULPRITS[culprit][0], at=[1]).details


@pytest.mark.parametrize(
    ("culprit", "advice"),
    [
        ("python counter", "Put PythonCounter.steps into the checkpoint and restore it in load."),
        (
            "random state",
            "Save and restore this random state, last of all in load: random.getstate() and random.setstate().",
        ),
        (
            "optimizer",
            "Save optimizer.state_dict() and give it to optimizer.load_state_dict() in load, "
            "after the model is restored and on its final device.",
        ),
        ("model", "Save model.state_dict() and give it to model.load_state_dict() in load."),
        (
            "two at once",
            "Put TwoCulprits.steps into the checkpoint and restore it in load. "
            "Put TwoCulprits.generator into the checkpoint and restore it in load.",
        ),
    ],
)
def test_the_advice_is_for_the_culprit(culprit: str, advice: str) -> None:
    assert resume(CULPRITS[culprit][0], at=[2]).advice == advice


class Noisy(Trainer):
    """Whatever differs here changes nothing: a log, a clock, a cache, a history, an id."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.started = time.perf_counter_ns()
        self.cache: dict[int, torch.Tensor] = {}
        self.history: list[float] = []
        self.logger = logging.getLogger(__name__)
        self.id = f"run-{next(MADE)}"
        self.images = 0

    def factor(self, i: int) -> float:
        self.log.append(f"step {i} at {time.perf_counter_ns() - self.started}")
        self.cache[i] = batch(i)
        self.images += 8
        return 1.0

    def step(self, i: int) -> Any:
        self.history.append(super().step(i))
        return self.history[-1]


class NoisyAndWrong(Noisy):
    def __init__(self) -> None:
        super().__init__()
        self.warm = 0

    def factor(self, i: int) -> float:
        self.warm += 1
        return super().factor(i) / self.warm


def test_what_differs_and_changes_nothing_is_no_failure() -> None:
    assert {outcome.status for outcome in check_training_run(lambda: Noisy().run())} == {"pass", "skipped"}


def test_what_differs_and_changes_nothing_is_not_blamed() -> None:
    outcome = resume(lambda: NoisyAndWrong().run())

    assert outcome.causes == ("NoisyAndWrong.warm",)
    told = "\n".join(outcome.details)
    assert "Differs after loading, too:" in told
    assert "NoisyAndWrong.images" in told


def test_advice_does_not_ask_for_more_than_was_proven() -> None:
    assert resume(lambda: NoisyAndWrong().run()).advice == (
        "Put NoisyAndWrong.warm into the checkpoint and restore it in load."
    )


class Source:
    """Hands out a generator function's iterator, which draws from a generator of its own."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(3)

    def __iter__(self) -> Iterator[torch.Tensor]:
        while True:
            drawn = torch.rand(1, generator=self.generator)
            yield drawn


class DrawsThroughAnIterator(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.data = Source()
        self.stream = iter(self.data)

    def factor(self, i: int) -> float:
        return float(next(self.stream))


def test_what_an_iterator_draws_from_is_blamed_before_the_iterator() -> None:
    assert resume(lambda: DrawsThroughAnIterator().run()).causes == ("DrawsThroughAnIterator.data.generator",)


class BoundedMemory(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.recent: deque[float] = deque([1.0], maxlen=2)

    def factor(self, i: int) -> float:
        self.recent.append(i + 1.0)
        return 1 / sum(self.recent)

    def save(self, path: Path) -> None:
        super().save(path)
        torch.save([*torch.load(path), list(self.recent)], path)

    def load(self, path: Path) -> None:
        *parts, recent = torch.load(path)
        torch.save(parts, path)
        super().load(path)
        torch.save([*parts, recent], path)
        self.recent = deque(recent)


def test_a_bound_that_was_lost_is_to_blame() -> None:
    outcome = resume(lambda: BoundedMemory().run())

    assert outcome.causes == ("BoundedMemory.recent",)
    assert "    BoundedMemory.recent.maxlen: saved 2, loaded None" in outcome.details


class ReplacesAParameter(Trainer):
    """A parameter beside the model, in the optimizer; load makes a new one. And a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))
        self.optimizer.add_param_group({"params": [self.temperature]})
        self.started = time.perf_counter_ns()

    def step(self, i: int) -> Any:
        self.optimizer.zero_grad()
        loss = self.model(batch(i)).pow(2).mean() * self.temperature
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path: Path) -> None:
        torch.save([self.model.state_dict(), self.optimizer.state_dict(), self.temperature.detach()], path)

    def load(self, path: Path) -> None:
        model, optimizer, temperature = torch.load(path)
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)
        self.temperature = nn.Parameter(temperature)


def test_a_parameter_that_no_optimizer_trains_any_more() -> None:
    outcome = resume(lambda: ReplacesAParameter().run())

    assert outcome.causes == ("ReplacesAParameter.temperature",)
    assert outcome.advice == (
        "Fill ReplacesAParameter.temperature in place (copy_()) when loading, or build optimizer again: it goes on "
        "with the old one."
    )


def test_nothing_that_can_be_seen() -> None:
    """The count is kept in memory that no walk goes through."""

    def make_run() -> TrainingRun:
        trainer, count = Trainer(), memoryview(bytearray(1))

        def step(i: int) -> Any:
            count[0] += 1
            loss = fit(trainer.model, trainer.optimizer, batch(i) / count[0])
            trainer.optimizer.zero_grad()
            return loss

        components = {"model": trainer.model, "optimizer": trainer.optimizer}
        return TrainingRun(components=components, step=step, save=trainer.save, load=trainer.load)

    outcome = resume(make_run)

    assert outcome.status == "fail"
    assert outcome.causes == ()
    assert outcome.details[0] == "No state that can be seen differs after loading."


def test_the_walk_sees_what_the_trainer_holds() -> None:
    """Guards the tests of noise above: what is not seen cannot be blamed either."""
    slots = walk_graph({}, {"step": Noisy().step}).slots

    assert {"Noisy.log", "Noisy.started", "Noisy.cache", "Noisy.history", "Noisy.images"} <= set(slots)

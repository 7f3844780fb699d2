"""Each change shows a bug that nothing else shows, and passes where the program is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pytest_ckpt import TrainingRun
from pytest_ckpt.strategies import checkpoint_machine, make_change
from pytest_ckpt.strategies.machine.changes import CHANGES
from pytest_ckpt.strategies.machine.events import Change, Program, Restart, Save, Train
from pytest_ckpt.strategies.machine.manner import Manner
from pytest_ckpt.strategies.machine.programs import passes
from pytest_ckpt.strategies.machine.verdicts import Court

STEP = Train(steps=1)


def parameters_of(model: nn.Module) -> list[nn.Parameter]:
    """Return all of them, one that is tied as often as it stands somewhere."""
    return [parameter for _, parameter in model.named_parameters(remove_duplicate=False)]


class Averages:
    """Averaged weights, put into the parameters it was made for."""

    def __init__(self, model: nn.Module) -> None:
        self.parameters = parameters_of(model)
        self.shadow = [parameter.detach().clone() for parameter in self.parameters]
        self.kept: list[torch.Tensor] = []

    def update(self, model: nn.Module) -> None:
        for average, parameter in zip(self.shadow, parameters_of(model), strict=True):
            average.lerp_(parameter.detach(), 0.5)

    @torch.no_grad()
    def apply_shadow(self) -> None:
        self.kept = [parameter.clone() for parameter in self.parameters]
        for parameter, average in zip(self.parameters, self.shadow, strict=True):
            parameter.copy_(average)

    @torch.no_grad()
    def restore(self) -> None:
        for parameter, kept in zip(self.parameters, self.kept, strict=True):
            parameter.copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        return {"shadow": self.shadow}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.shadow = [average.clone() for average in state["shadow"]]


class Trainer:
    """Right with every change; a subclass forgets something that only one of them shows."""

    def __init__(self) -> None:
        self.model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Linear(3, 1))
        self.optimizer = torch.optim.SGD(self.trained(), lr=0.1, momentum=0.9)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 2)
        self.averages = Averages(self.model)

    def trained(self) -> list[nn.Parameter]:
        return list(self.model.parameters())

    def step(self, i: int) -> float:
        generator = torch.Generator().manual_seed(i)
        self.optimizer.zero_grad()
        loss = (self.model(torch.randn(4, 3, generator=generator)) - 1).square().mean()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        self.averages.update(self.model)
        return float(loss.item())

    def components(self) -> dict[str, Any]:
        names = ("model", "optimizer", "scheduler", "averages")
        return {name: getattr(self, name) for name in names}

    def payload(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.components().items()}

    def save(self, path: Path) -> None:
        torch.save(self.payload(), path)

    def load(self, path: Path) -> None:
        for name, state in torch.load(path).items():
            getattr(self, name).load_state_dict(state)

    @classmethod
    def run(cls) -> TrainingRun:
        trainer = cls()
        return TrainingRun(
            components=trainer.components,
            step=trainer.step,
            save=trainer.save,
            load=trainer.load,
            predict=lambda: trainer.model(torch.ones(2, 3)),
        )


class SetsItsLearningRate(Trainer):
    def load(self, path: Path) -> None:
        super().load(path)
        for group in self.optimizer.param_groups:
            group["lr"] = 0.1 if self.scheduler.last_epoch < 2 else group["lr"]


class SavesWhatIsTrained(Trainer):
    """Right for weights that were frozen from the beginning, and are another checkpoint's."""

    def payload(self) -> dict[str, Any]:
        trained = {name for name, parameter in self.model.named_parameters() if parameter.requires_grad}
        model = {name: tensor for name, tensor in self.model.state_dict().items() if name in trained}
        return {**super().payload(), "model": model}

    def load(self, path: Path) -> None:
        payload = torch.load(path)
        self.model.load_state_dict(payload.pop("model"), strict=False)
        for name, state in payload.items():
            getattr(self, name).load_state_dict(state)


class Frozen(Trainer):
    """Its first layer is that of a model from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            for parameter in self.model[0].parameters():
                parameter.requires_grad_(False).fill_(0.5)


class LeavesTheFrozenOut(Frozen):
    def payload(self) -> dict[str, Any]:
        model = {name: tensor for name, tensor in self.model.state_dict().items() if not name.startswith("0.")}
        return {**super().payload(), "model": model}

    def load(self, path: Path) -> None:
        payload = torch.load(path)
        self.model.load_state_dict(payload.pop("model"), strict=False)
        for name, state in payload.items():
            getattr(self, name).load_state_dict(state)


class TrainsItsHead(Trainer):
    def trained(self) -> list[nn.Parameter]:
        return list(self.model[-1].parameters())


class ForgetsLaterGroups(TrainsItsHead):
    def payload(self) -> dict[str, Any]:
        payload = super().payload()
        first = payload["optimizer"]["param_groups"][0]["params"]
        state = {number: state for number, state in payload["optimizer"]["state"].items() if number in first}
        return {**payload, "optimizer": {**payload["optimizer"], "state": state}}


class RefusesSharedWeights(Trainer):
    """As a file does that holds every tensor once."""

    def save(self, path: Path) -> None:
        tensors = self.model.state_dict().values()
        if len({tensor.data_ptr() for tensor in tensors}) < len(tensors):
            raise RuntimeError("some tensors share memory")
        super().save(path)


class SavesItsMasters(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.masters = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def step(self, i: int) -> float:
        loss = super().step(i)
        self.masters = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        return loss

    def payload(self) -> dict[str, Any]:
        return {**super().payload(), "model": self.masters}


class CountsForItsScheduler(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def step(self, i: int) -> float:
        self.count += 1
        return super().step(i)

    def payload(self) -> dict[str, Any]:
        scheduler = {**self.scheduler.state_dict(), "last_epoch": self.count}
        return {**super().payload(), "scheduler": scheduler}

    def load(self, path: Path) -> None:
        super().load(path)
        self.count = self.scheduler.last_epoch


class ReplacesItsModel(Trainer):
    """The averages still hold the parameters of the model before."""

    def load(self, path: Path) -> None:
        self.model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Linear(3, 1))
        self.optimizer = torch.optim.SGD(self.trained(), lr=0.1, momentum=0.9)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 2)
        super().load(path)


class ReplacesItsModelEverywhere(ReplacesItsModel):
    def load(self, path: Path) -> None:
        super().load(path)
        self.averages.parameters = parameters_of(self.model)


CASES = [
    ("halve_learning_rates", SetsItsLearningRate, Trainer),
    ("freeze", SavesWhatIsTrained, Trainer),
    ("unfreeze", LeavesTheFrozenOut, Frozen),
    ("add_group", ForgetsLaterGroups, TrainsItsHead),
    ("tie_weights", RefusesSharedWeights, Trainer),
    ("round_weights", SavesItsMasters, Trainer),
    ("step_schedulers", CountsForItsScheduler, Trainer),
    ("swap_averages", ReplacesItsModel, ReplacesItsModelEverywhere),
]


def court(make_run: Callable[[], TrainingRun], *changes: str) -> Court:
    machine: Any = checkpoint_machine(make_run, changes=changes)
    found: Court = machine.court
    return found


def programs(*more: Change) -> list[Program]:
    """The change comes before the save, or after the restart."""
    restart = Restart(checkpoint=0)
    return [
        (STEP, *more, STEP, Save(), restart, STEP),
        (STEP, *more, Save(), restart, STEP),
        (STEP, Save(), restart, *more),
    ]


def test_every_change_has_its_case() -> None:
    assert {name for name, *_ in CASES} == CHANGES.keys()


@pytest.mark.parametrize(("name", "wrong", "right"), CASES, ids=[name for name, *_ in CASES])
def test_a_change_shows_what_nothing_else_shows(name: str, wrong: type[Trainer], right: type[Trainer]) -> None:
    change = Change(name=name)

    assert court(right.run).possible([name])
    assert any(court(wrong.run, name).judge(program) is not None for program in programs(change))
    assert not any(court(wrong.run).judge(program) for program in programs())
    mended = court(right.run, name)
    for program in programs(change):
        assert passes(mended.plan, mended.histories, program, Manner())
        assert mended.judge(program) is None


class UnfreezesOnLoad(Trainer):
    """Right for a script that freezes after it has loaded."""

    def load(self, path: Path) -> None:
        super().load(path)
        for parameter in self.model.parameters():
            parameter.requires_grad_(True)


def test_a_script_may_make_its_changes_after_it_loads() -> None:
    judge = court(UnfreezesOnLoad.run, "freeze")
    program = (STEP, Change(name="freeze"), STEP, Save(), Restart(checkpoint=0), STEP)

    assert not passes(judge.plan, judge.histories, program, Manner())
    assert passes(judge.plan, judge.histories, program, Manner(late=True))
    assert judge.judge(program) is None


def test_only_what_leaves_everything_as_it_was_is_tried_where_nothing_is_named() -> None:
    machine: Any = checkpoint_machine(Trainer.run)

    assert machine.changes == ("swap_averages",)


def test_averages_are_asked_for_while_they_are_in() -> None:
    trainer = Trainer()
    trainer.step(0)
    trainer.step(1)
    before = trainer.model(torch.ones(1, 3))

    during = make_change("swap_averages", trainer.components(), lambda: trainer.model(torch.ones(1, 3)))

    assert not torch.equal(during, before)
    assert torch.equal(trainer.model(torch.ones(1, 3)), before)

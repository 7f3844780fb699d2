"""The audit of where tensors are after a load."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import nn

from pytest_ckpt.devices import Misplaced, audit_placement, placements, world

DEVICE = "cuda:1"


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.mask = torch.ones(2)
        self.tables = {"a": [torch.zeros(2)]}
        self.scale = torch.tensor(2.0)
        self.register_buffer("mean", torch.ones(2))


class Trainer:
    def __init__(self, device: str, make: Any = None) -> None:
        self.model: nn.Module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)).to(device)
        self.optimizer = (make or torch.optim.AdamW)(self.model.parameters())
        self.average = [p.detach().clone() for p in self.model.parameters()]
        self.device = device

    @property
    def components(self) -> dict[str, Any]:
        return {"model": self.model, "optimizer": self.optimizer}

    def step(self, i: int) -> torch.Tensor:
        self.optimizer.zero_grad()
        loss: torch.Tensor = self.model(torch.ones(1, 2, device=self.device)).sum()
        loss.backward()
        self.optimizer.step()
        return loss.detach()


def test_a_run_in_order_has_nothing_to_report() -> None:
    with world(DEVICE):
        trainer = Trainer(DEVICE)
        trainer.step(0)
        before = placements(trainer.components, {"step": trainer.step})

        assert audit_placement(trainer.components, {"step": trainer.step}, before=before) == ()
        assert before["model.0.weight"] == before["optimizer.state[0.weight].exp_avg"] == DEVICE
        assert before["optimizer.state[0.weight].step"] == "cpu"
        assert before["Trainer.average[0]"] == DEVICE


OPTIMIZERS = ("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "NAdam", "RAdam", "SGD")
FLAGGED = [
    (name, flag)
    for name in OPTIMIZERS
    for flag in ("", "capturable", "fused")
    if not flag or flag in inspect.signature(getattr(torch.optim, name)).parameters
]


@pytest.mark.parametrize(("name", "flag"), FLAGGED)
def test_no_optimizer_of_torch_is_accused(name: str, flag: str) -> None:
    with world(DEVICE):
        flags = {flag: True} if flag else {}
        trainer = Trainer(DEVICE, lambda parameters: getattr(torch.optim, name)(parameters, **flags))
        trainer.optimizer.step(lambda: trainer.model(torch.ones(1, 2, device=DEVICE)).sum())
        for parameter in trainer.model.parameters():
            parameter.grad = torch.ones_like(parameter)
        trainer.optimizer.step(lambda: trainer.model(torch.ones(1, 2, device=DEVICE)).sum())

        assert audit_placement(trainer.components) == ()


def test_plain_attributes_are_left_behind() -> None:
    with world(DEVICE):
        found = audit_placement({"model": Masked().to(DEVICE)})

    assert found == (
        Misplaced(
            path="model.mask",
            what="plain attribute",
            where="cpu",
            should_be=DEVICE,
            remedy="Register it with register_buffer('mask', ..., persistent=False): .to() moves buffers.",
        ),
        Misplaced(
            path="model.tables.a[0]",
            what="plain attribute",
            where="cpu",
            should_be=DEVICE,
            remedy="Register it with register_buffer('tables', ..., persistent=False): .to() moves buffers.",
        ),
    )
    assert str(found[0]) == (
        "model.mask (plain attribute): on cpu, should be on cuda:1. "
        "Register it with register_buffer('mask', ..., persistent=False): .to() moves buffers."
    )


def test_a_plain_attribute_that_was_there_before_is_there_on_purpose() -> None:
    with world(DEVICE):
        model = Masked().to(DEVICE)

        assert audit_placement({"model": model}, before=placements({"model": model})) == ()


def test_optimizer_state_away_from_its_parameter() -> None:
    with world(DEVICE):
        trainer = Trainer(DEVICE)
        trainer.step(0)
        state = trainer.optimizer.state[next(trainer.model.parameters())]
        state["exp_avg"] = state["exp_avg"].cpu()
        (found,) = audit_placement(trainer.components)

    assert str(found) == (
        "optimizer.state[0.weight].exp_avg (optimizer state): on cpu, should be on cuda:1. "
        "Move the model to its device first, and then load the optimizer's state with load_state_dict()."
    )


def test_a_counter_on_the_cpu_is_wrong_for_a_fused_optimizer_alone() -> None:
    with world(DEVICE):
        for fused in (True, False):
            trainer = Trainer(DEVICE, lambda parameters, fused=fused: torch.optim.Adam(parameters, fused=fused))
            trainer.step(0)
            for state in trainer.optimizer.state.values():
                state["step"] = state["step"].cpu()

            assert [item.path.endswith(".step") for item in audit_placement(trainer.components)] == [True] * 4 * fused


def test_a_counter_that_was_moved_differs_from_before() -> None:
    with world(DEVICE):
        trainer = Trainer(DEVICE)
        trainer.step(0)
        before = placements(trainer.components)
        for state in trainer.optimizer.state.values():
            state["step"] = state["step"].to(DEVICE)
        found = audit_placement(trainer.components, before=before)

    assert [(item.path, item.where, item.should_be) for item in found] == [
        (f"optimizer.state[{layer}.{name}].step", DEVICE, "cpu") for layer in (0, 1) for name in ("bias", "weight")
    ]


def test_an_optimizer_with_other_parameters_than_the_models() -> None:
    with world(DEVICE):
        trainer = Trainer(DEVICE)
        trainer.model.load_state_dict(trainer.model.state_dict(), assign=True)
        found = audit_placement(trainer.components)

    assert [item.path for item in found] == [f"optimizer.param_groups[0].params[{i}]" for i in range(4)]
    assert str(found[0]) == (
        "optimizer.param_groups[0].params[0] (parameter that is not the model's): on cuda:1. The model's 0.weight is "
        "trained by no optimizer: make the optimizer after load_state_dict(assign=True) or after any other step that "
        "replaces the model's parameters."
    )


def test_parameters_beside_the_models_are_not_strangers() -> None:
    model, temperature = nn.Linear(2, 2), nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([*model.parameters(), temperature])

    assert audit_placement({"model": model, "optimizer": optimizer}) == ()


def test_a_model_that_is_split_on_purpose_may_stay_split() -> None:
    with world(DEVICE):
        trainer = Trainer(DEVICE)
        model: Any = trainer.model
        model[0].to("cpu")
        before = placements(trainer.components)

        assert audit_placement(trainer.components, before=before) == ()
        model[1].to("cpu")
        assert [item.path for item in audit_placement(trainer.components, before=before)] == [
            "model.1.bias",
            "model.1.weight",
        ]


def test_averaged_weights_that_were_on_the_device_are_missed_there() -> None:
    with world(DEVICE):
        trainer = Trainer(DEVICE)
        before = placements(trainer.components, {"step": trainer.step})
        trainer.average = [tensor.cpu() for tensor in trainer.average]
        found = audit_placement(trainer.components, {"step": trainer.step}, before=before)

    assert [item.path for item in found] == [f"Trainer.average[{i}]" for i in range(4)]
    assert str(found[0]) == (
        "Trainer.average[0] (state of the run): on cpu, should be on cuda:1. "
        "Load it to the device it was on, with map_location or with .to() after the load."
    )


def test_another_machine_may_have_other_devices() -> None:
    with world(DEVICE):
        before = placements(Trainer("cuda:1").components)
        now = Trainer("cuda:0").components

        assert audit_placement(now, before=before, moved={"cuda:1": "cuda:0"}) == ()
        assert len(audit_placement(now, before=before)) == 4

"""Something is not in the checkpoint, or load does not read it."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.parts import forget, kind_of, modules, states, tensors
from pytest_ckpt.faults.trying import fault_of_load
from pytest_ckpt.runs import LiveRun

__all__ = ["FORGETTING"]


def _forget_kind(kind: str, run: LiveRun, noted: dict[str, Any]) -> None:
    forget(run, noted, lambda component: kind_of(component) == kind)


def _copies(run: LiveRun) -> dict[str, torch.Tensor]:
    return {path: tensor.clone() for path, tensor in tensors(run)}


def _drop_tensor(run: LiveRun, noted: dict[str, torch.Tensor]) -> None:
    for path, tensor in tensors(run):
        if path in noted and noted[path].shape == tensor.shape and not torch.equal(noted[path], tensor):
            tensor.copy_(noted[path])
            return


def _drop_gradients(run: LiveRun, noted: object) -> None:
    for module in modules(run):
        module.zero_grad()


FORGETTING: tuple[Fault, ...] = (
    fault_of_load(
        "forget_model",
        "load restores the optimizer and leaves a model as it was initialized.",
        ("state_is_restored", "resume_is_exact"),
        before=states,
        after=partial(_forget_kind, "module"),
        otherwise="No module is in another state than a fresh run's.",
    ),
    fault_of_load(
        "forget_optimizer",
        "The checkpoint holds the weights alone, and the optimizer starts anew.",
        ("state_is_restored", "resume_is_exact"),
        before=states,
        after=partial(_forget_kind, "optimizer"),
        otherwise="No optimizer has state that the training depends on.",
    ),
    fault_of_load(
        "skip_scheduler",
        "The scheduler is not in the checkpoint, so a resumed run warms up again.",
        ("state_is_restored",),
        before=states,
        after=partial(_forget_kind, "scheduler"),
        otherwise="No component is a learning-rate scheduler.",
    ),
    fault_of_load(
        "forget_component",
        "A grad scaler, an average of the weights, a sampler or the like is not in the checkpoint.",
        ("state_is_restored",),
        before=states,
        after=partial(_forget_kind, "other"),
        otherwise="No component beside modules, optimizers and schedulers has state of its own.",
    ),
    fault_of_load(
        "drop_tensor",
        "One key does not match after a renaming, and strict=False says nothing.",
        ("state_is_restored",),
        before=_copies,
        after=_drop_tensor,
        otherwise="No tensor of a module differs from a fresh run's.",
    ),
    fault_of_load(
        "forget_gradients",
        "The run is saved between two backward passes, and the accumulated gradients are lost.",
        ("resume_is_exact",),
        after=_drop_gradients,
        otherwise="Training does not depend on gradients of the step before.",
    ),
)

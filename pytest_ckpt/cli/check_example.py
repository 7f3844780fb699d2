"""What a check reports: it is run, on a small run with a bug that it must see."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from pytest_ckpt.checks import Check
from pytest_ckpt.faults import FAULTS, Fault
from pytest_ckpt.reporting import outcome_lines
from pytest_ckpt.running import check_training_run
from pytest_ckpt.runs import TrainingRun, module_run

__all__ = ["Example", "example_of", "faults_of"]

_STEPS = 6
_SHOWN = 2
# No part of a path, such as model.0.1.weight.
_FLOAT = re.compile(r"(?<![\w.])-?\d+\.\d+(e[+-]\d+)?(?!\w|\.\w)")

_FRAME = re.compile(r"    at .+:\d+, in ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A report that a check made.

    Attributes:
        fault: The name of the bug behind it.
        report: Its lines; in the place of each number with a fraction stands ``…``.
    """

    fault: str
    report: str


def example_of(check: Check) -> Example | None:
    """Run a check on a small run with a bug; ``None`` if none that it must see makes a difference there."""
    make_run = _on_a_device if check.group == "placement" else _RUN
    fault = next((fault for fault in faults_of(check) if fault.applies(make_run, _STEPS, range(_STEPS)) is None), None)
    if fault is None:
        return None
    outcomes = check_training_run(fault.inject(make_run), steps=_STEPS, select=[check.name], raise_on_failure=False)
    # Where in torch it was raised is no matter of the example, and another place on every machine.
    lines = "\n".join(line for line in outcome_lines(outcomes[check.name], limit=_SHOWN) if not _FRAME.match(line))
    return Example(fault=fault.name, report=_FLOAT.sub("…", lines))


def faults_of(check: Check) -> list[Fault]:
    """Return the bugs that the check must see, first those that no other check must see."""
    seen = [fault for fault in FAULTS.values() if check.name in fault.seen_by]
    return sorted(seen, key=lambda fault: len(fault.seen_by))


def _on_a_device(device: str = "cpu") -> TrainingRun:
    model = _network().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def step(number: int) -> torch.Tensor:
        loss: torch.Tensor = model(torch.randn(8, 4).to(device)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)


def _network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 2))


_RUN = module_run(_network, inputs=lambda: torch.randn(8, 4))

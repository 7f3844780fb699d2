"""A round trip needs two runs; a ``make_run`` that returns the same objects twice makes one."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from pytest_ckpt.errors import UsageError
from pytest_ckpt.runs.live import LiveRun
from pytest_ckpt.state.naming import is_optimizer_like

__all__ = ["require_distinct_runs"]


def require_distinct_runs(first: LiveRun, second: LiveRun) -> None:
    """Raise if two runs train the same objects; a frozen part that both hold is nobody's mistake.

    Raises:
        UsageError: If they do, naming the component.
    """
    theirs = dict(_trained_objects(second))
    for identity, name in _trained_objects(first):
        if identity in theirs:
            raise UsageError(
                f"make_run returned the same {name} twice. It is called for every run and must build new "
                "objects each time; a model made outside of it is trained by both runs."
            )


def _trained_objects(run: LiveRun) -> Iterator[tuple[int, str]]:
    for name, component in run.components.items():
        if is_optimizer_like(component):
            yield id(component), f"component {name!r}"
            for group in component.param_groups:
                for parameter in group["params"]:
                    yield id(parameter), f"parameter in component {name!r}"
        elif isinstance(component, torch.nn.Module) and any(p.requires_grad for p in component.parameters()):
            yield id(component), f"component {name!r}"

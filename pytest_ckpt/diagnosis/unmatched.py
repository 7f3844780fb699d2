"""Names that a load leaves over or does not find, heard even where ``strict=False`` says nothing of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pytest_ckpt.diagnosis.prefixes import advise_on_error, advise_on_file, advise_on_names, find_gap
from pytest_ckpt.editing import read_saved
from pytest_ckpt.editing.places import tensors
from pytest_ckpt.paths import Keys
from pytest_ckpt.runs import build
from pytest_ckpt.trips import Plan, fresh_seed

__all__ = ["LoadCall", "advise_on_load", "hearing_names"]


def advise_on_load(plan: Plan, at: int, path: Path, lost: Collection[str], gone: Collection[str]) -> str:
    """Load a checkpoint once more and return the remedy if a prefix kept state from being found; empty if none did.

    Args:
        plan: What is run.
        at: The step the checkpoint was saved after.
        path: The checkpoint.
        lost: Modules of which something was not restored.
        gone: Those of which most was not.
    """
    in_file = list(_state_dicts(path))  # Before the load, which may remove it.
    run = build(plan.make_run, fresh_seed(at))
    with hearing_names() as calls:
        plan.load(run, path)
    modules = {n: item for n, item in run.components.items() if n in lost and isinstance(item, torch.nn.Module)}
    owned = {id(tensor) for module in modules.values() for tensor in _tensors_of(module)}
    for call in calls.values():
        if call.advice and any(id(tensor) in owned for tensor in _tensors_of(call.module)):
            return call.advice
    states = (module.state_dict() for name, module in modules.items() if name in gone)
    return next(filter(None, (_advice_on_file(in_file, state) for state in states)), "")


def _advice_on_file(in_file: list[set[str]], state: Mapping[str, Any]) -> str:
    """Compare a model's names with those in the file, for programs that sort out by hand what they do not know."""
    names = {name for name, value in state.items() if isinstance(value, torch.Tensor)}
    if any(names <= found for found in in_file):
        return ""
    for found in in_file:
        gap = find_gap(names - found, found - names)
        if gap is not None and gap.matched * 2 >= len(names):
            return advise_on_file(names - found, found - names)
    return ""


def _state_dicts(path: Path) -> Iterator[set[str]]:
    for file in read_saved(path).readable.values():
        grouped: dict[Keys, set[str]] = defaultdict(set)
        for keys, _ in tensors(file.content):
            if keys and isinstance(keys[-1], str):
                grouped[keys[:-1]].add(keys[-1])
        yield from grouped.values()


def _tensors_of(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadCall:
    """One call of ``Module.load_state_dict``.

    Attributes:
        module: What was loaded into.
        advice: What to do about a prefix between its names and those given; empty if there is none.
    """

    module: torch.nn.Module
    advice: str


@contextmanager
def hearing_names() -> Iterator[dict[int, LoadCall]]:
    """Hear which names the last load of each module, by its ``id``, did not bring together.

    An earlier load of it was mended by the last.
    """
    calls: dict[int, LoadCall] = {}
    load: Any = torch.nn.Module.load_state_dict

    def heard(self: torch.nn.Module, *args: Any, **options: Any) -> Any:
        try:
            found = load(self, *args, **options)
        except RuntimeError as error:
            calls[id(self)] = LoadCall(module=self, advice=advise_on_error(str(error)))
            raise
        missing, unexpected = (getattr(found, f"{kind}_keys", ()) for kind in ("missing", "unexpected"))
        calls[id(self)] = LoadCall(module=self, advice=advise_on_names(missing, unexpected))
        return found

    torch.nn.Module.load_state_dict = heard  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        torch.nn.Module.load_state_dict = load  # type: ignore[method-assign]

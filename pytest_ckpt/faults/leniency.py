"""Load is content with a checkpoint that is not whole; with a whole one nothing is wrong."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch

from pytest_ckpt.editing import (
    Document,
    Edit,
    casts,
    drops,
    foreign_optimizers,
    other_parameter_order,
    read_saved,
    renames,
    reshapes,
)
from pytest_ckpt.editing.places import at_place, optimizer_states, refilled, replaced
from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.saving import differs_from_a_fresh_run
from pytest_ckpt.faults.trying import unless
from pytest_ckpt.faults.wrapping import injecting
from pytest_ckpt.runs import LiveRun, MakeRun, TrainingRun, build
from pytest_ckpt.runs.storage import storage_for
from pytest_ckpt.trips import FIRST_SEED

__all__ = ["LENIENCY"]

_Mend: TypeAlias = "Callable[[Any, Any], Any]"
"""``mend(content, own)`` makes something of a file's content that load takes, with the run's own state at hand."""


def _lenient(mend: _Mend, definition: TrainingRun) -> TrainingRun:
    return replace(definition, load=partial(_load_mended, LiveRun(definition), mend))


def _load_mended(run: LiveRun, mend: _Mend, path: Path) -> object:
    with tempfile.TemporaryDirectory(prefix="ckpt-") as directory:
        copied, own = Path(directory, "copied") / path.name, Path(directory, "own") / path.name
        own.parent.mkdir()
        run.save(own)
        shutil.copytree(path.parent, copied.parent, symlinks=True)
        found, ours = read_saved(copied), read_saved(own)
        mended = found
        for name in found.readable.keys() & ours.readable.keys():
            mended = mended.with_content(name, mend(found.files[name].content, ours.files[name].content))
        mended.write_over(found)
        return run.load(copied)


def _fill_in(content: Any, own: Any) -> Any:
    if not isinstance(content, Mapping) or not isinstance(own, Mapping):
        return content
    common = {key: _fill_in(item, own[key]) if key in own else item for key, item in content.items()}
    return refilled(content, {**common, **{key: item for key, item in own.items() if key not in content}})


def _fill_in_if_as_many(content: Any, own: Any) -> Any:
    if not isinstance(content, Mapping) or not isinstance(own, Mapping):
        return content
    if len(content) == len(own) and content.keys() != own.keys():
        return refilled(content, {key: content.get(key, item) for key, item in own.items()})
    items = {key: _fill_in_if_as_many(item, own[key]) if key in own else item for key, item in content.items()}
    return refilled(content, items)


def _on_tensors(content: Any, own: Any, mend: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(content, torch.Tensor) and isinstance(own, torch.Tensor):
        return mend(content, own)
    if isinstance(content, Mapping) and isinstance(own, Mapping):
        items = {key: _on_tensors(item, own[key], mend) if key in own else item for key, item in content.items()}
        return refilled(content, items)
    if type(content) is list and type(own) is list and len(content) == len(own):
        return [_on_tensors(*pair, mend) for pair in zip(content, own, strict=True)]
    return content


def _skip_what_does_not_fit(content: Any, own: Any) -> Any:
    return _on_tensors(content, own, lambda found, ours: found if found.shape == ours.shape else ours)


def _cast_in_silence(content: Any, own: Any) -> Any:
    return _on_tensors(content, own, lambda found, ours: found.to(ours.dtype))


def _mend_groups(content: Any, own: Any, mend: _Mend) -> Any:
    """Mend the groups of each optimizer's state dict that is in the same place in both."""
    own_places = set(optimizer_states(own))
    for keys in optimizer_states(content):
        if keys in own_places:
            place = (*keys, "param_groups")
            groups = mend(at_place(content, place), at_place(own, place))
            content = replaced(content, place, groups)
    return content


def _stop_with_the_shorter(content: Any, own: Any) -> Any:
    return _mend_groups(content, own, _as_many)


def _as_many(groups: list[Any], own_groups: list[Any]) -> list[Any]:
    return [
        {**group, **{key: (group[key] + own[key][len(group[key]) :])[: len(own[key])] for key in _by_parameter(group)}}
        for group, own in zip(groups, own_groups, strict=False)
    ]


def _by_parameter(group: Any) -> list[str]:
    return [key for key in ("params", "param_names") if key in group]


def _go_by_position(content: Any, own: Any) -> Any:
    return _mend_groups(content, own, _named_as_ours)


def _named_as_ours(groups: list[Any], own_groups: list[Any]) -> list[Any]:
    names = [{"param_names": own["param_names"]} if "param_names" in own else {} for own in own_groups]
    common = [{**group, **named} for group, named in zip(groups, names, strict=False)]
    return [*common, *groups[len(common) :]]


def _has(edits_of: Callable[[Document], list[Edit]], make_run: MakeRun, steps: int, at: Sequence[int]) -> bool:
    """Whether a checkpoint can be read and holds what the edits are made to, and a fresh run can be saved as well."""
    if not differs_from_a_fresh_run(make_run, steps, at):
        return False
    run = build(make_run, FIRST_SEED)
    storage = storage_for(run, "" if run.definition.save is not None else "torch-full")
    try:
        with tempfile.TemporaryDirectory(prefix="ckpt-") as directory:
            storage.save(run, Path(directory, "fresh"))
            run.train(max(at))
            path = Path(directory, "own", "trained")
            path.parent.mkdir()
            storage.save(run, path)
            return bool(edits_of(read_saved(path)))
    except Exception:
        return False


def _fault(
    name: str, summary: str, seen_by: str, mend: _Mend, edits_of: Callable[[Document], list[Edit]], otherwise: str
) -> Fault:
    return Fault(
        name=name,
        summary=summary,
        seen_by=(seen_by,),
        inject=injecting(partial(_lenient, mend)),
        applies=unless(otherwise, partial(_has, edits_of)),
    )


LENIENCY: tuple[Fault, ...] = (
    _fault(
        "fill_in_what_is_missing",
        "load takes what the checkpoint lacks from the fresh run: strict=False, .get(key, default).",
        "dropped_state_is_noticed",
        _fill_in,
        drops,
        "The checkpoint holds nothing in plain containers that a fresh run has not.",
    ),
    _fault(
        "count_the_keys_only",
        "load compares the number of keys, and then passes strict=False.",
        "renamed_state_is_noticed",
        _fill_in_if_as_many,
        renames,
        "The checkpoint holds nothing by name that a fresh run has not.",
    ),
    _fault(
        "skip_what_does_not_fit",
        "load leaves out the tensors that have another shape in the model.",
        "reshaped_state_is_noticed",
        _skip_what_does_not_fit,
        reshapes,
        "The checkpoint holds no tensor in plain containers that a fresh run has not.",
    ),
    _fault(
        "cast_in_silence",
        "load gives each tensor the dtype that it has in the model.",
        "cast_state_is_noticed",
        _cast_in_silence,
        casts,
        "No tensor of the checkpoint loses precision in a narrower dtype.",
    ),
    _fault(
        "stop_with_the_shorter",
        "load pairs the optimizer's parameters with the saved ones and stops where the shorter list ends.",
        "foreign_optimizer_is_refused",
        _stop_with_the_shorter,
        foreign_optimizers,
        "The checkpoint holds no state dict of an optimizer.",
    ),
    _fault(
        "go_by_position",
        "load matches optimizer state by position, whatever the parameters were called.",
        "optimizer_state_follows_names",
        _go_by_position,
        other_parameter_order,
        "The checkpoint holds no two parameters of one shape with different optimizer state.",
    ),
)

"""Carrying state over from the saved run that a project chooses not to restore (``ignore``)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch

from pytest_ckpt.paths import Keys, matches_any, spell
from pytest_ckpt.runs.live import LiveRun
from pytest_ckpt.runs.restoring import load_order, restore_component
from pytest_ckpt.state.capture import StateTree, capture
from pytest_ckpt.state.freezing import freeze
from pytest_ckpt.state.random_state import set_random_state

__all__ = ["carry_over"]


def carry_over(run: LiveRun, saved: StateTree, ignore: tuple[str, ...]) -> None:
    """Give a loaded run the saved values of every path that matches a glob in ``ignore``."""
    if not ignore:
        return
    now = capture(run.components, hidden=False)
    components = run.components
    for name in load_order(components):
        if name not in saved.raw:
            continue
        merged = _merge(now.state[name], now.raw[name], saved.state[name], saved.raw[name], (name,), ignore)
        if merged is not now.raw[name]:
            restore_component(name, components[name], freeze(merged))
        if isinstance(components[name], torch.nn.Module) and name in saved.hidden:
            _carry_hidden(components[name], saved.hidden[name], name, ignore)
    wanted = {key: value for key, value in saved.hidden["rng"].items() if matches_any(f"rng.{key}", ignore)}
    set_random_state(wanted)


def _merge(now: Any, raw: Any, saved: Any, saved_raw: Any, keys: Keys, ignore: tuple[str, ...]) -> Any:
    """Return ``raw`` with the saved value at every ignored path; ``raw`` itself where none is.

    ``now`` and ``saved`` are the named views of ``raw`` and ``saved_raw``: the same values in the same order.
    """
    if matches_any(spell(keys), ignore):
        return saved_raw
    if isinstance(now, Mapping) and isinstance(saved, Mapping) and isinstance(raw, Mapping):
        return _merge_mappings(now, raw, saved, saved_raw, keys, ignore)
    if isinstance(now, list) and isinstance(saved, list) and len(now) == len(saved):
        merged = [
            _merge(*item, (*keys, index), ignore)
            for index, item in enumerate(zip(now, raw, saved, saved_raw, strict=True))
        ]
        return merged if any(a is not b for a, b in zip(merged, raw, strict=True)) else raw
    return raw


def _merge_mappings(
    now: Mapping[Any, Any],
    raw: Any,
    saved: Mapping[Any, Any],
    saved_raw: Any,
    keys: Keys,
    ignore: tuple[str, ...],
) -> Any:
    changed = {}
    raw_keys = dict(zip(now, raw, strict=True))
    for key, raw_key in zip(saved, saved_raw, strict=True):
        path = (*keys, key)
        if key in now:
            old = raw[raw_keys[key]]
            new = _merge(now[key], old, saved[key], saved_raw[raw_key], path, ignore)
            if new is not old:
                changed[raw_keys[key]] = new
        elif matches_any(spell(path), ignore):
            changed[raw_key] = saved_raw[raw_key]
    if not changed:
        return raw
    merged = copy.copy(raw)  # unlike raw.copy(), keeps an OrderedDict's _metadata
    merged.update(changed)
    return merged


def _carry_hidden(module: Any, saved: Mapping[str, Any], name: str, ignore: tuple[str, ...]) -> None:
    buffers = dict(module.named_buffers())
    for key, value in saved.items():
        if key in buffers and matches_any(f"{name}.{key}", ignore):
            with torch.no_grad():
                buffers[key].copy_(value)

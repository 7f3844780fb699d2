"""What a run holds at one moment, as fingerprints and words that are compared with those of another moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from pytest_ckpt.golden.prints import Print, prints_of_state
from pytest_ckpt.golden.words import plain_words
from pytest_ckpt.inspection import walk
from pytest_ckpt.paths import spell
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.state import capture
from pytest_ckpt.state.naming import is_optimizer_like

__all__ = ["Picture", "picture_of", "unsaved_buffers"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What a run holds. Paths are those of components' state.

    Attributes:
        prints: The fingerprint of each tensor; buffers that are not persistent are among them.
        plain: Names, counts and the like in components that are neither a module nor an optimizer, in words.
        components: The names of the components.
        tensors: Returns the tensors themselves, as they are when it is called.
    """

    prints: Mapping[str, Print]
    plain: Mapping[str, str]
    components: frozenset[str]
    tensors: Callable[[], dict[str, torch.Tensor]] = field(repr=False)


def picture_of(run: LiveRun) -> Picture:
    """Take a picture of a run."""
    components = run.components
    return Picture(
        prints=prints_of_state({**_buffers(components), **_flat(capture(components, hidden=False).state)}),
        plain=dict(_plain(components)),
        components=frozenset(components),
        tensors=lambda: {**_buffers(run.components), **_flat(capture(run.components, hidden=False).state)},
    )


def unsaved_buffers(run: LiveRun) -> dict[str, torch.Tensor]:
    """Return copies of the buffers that no state dict holds."""
    saved = _flat(capture(run.components, hidden=False).state)
    return {path: buffer.clone() for path, buffer in _buffers(run.components).items() if path not in saved}


def _flat(state: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    return {spell(keys): value for keys, value in walk(state) if isinstance(value, torch.Tensor)}


def _buffers(components: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Return all buffers of modules: one that is no longer in the checkpoint may be where its content went."""
    modules = {name: item for name, item in components.items() if isinstance(item, torch.nn.Module)}
    return {f"{name}.{path}": buffer for name, item in modules.items() for path, buffer in item.named_buffers()}


def _plain(components: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    others = {
        name: item
        for name, item in components.items()
        if not isinstance(item, torch.nn.Module) and not is_optimizer_like(item)
    }
    for keys, value in walk(capture(others, hidden=False).state):
        if not isinstance(value, torch.Tensor):
            yield spell(keys), plain_words(value)

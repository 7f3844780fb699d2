"""What two runs in one process share although each is made anew: globals of the project's own modules."""

from __future__ import annotations

import copy
import gc
import os
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import torch

from pytest_ckpt.comparison import compare
from pytest_ckpt.paths import spell
from pytest_ckpt.runs.restoring import fill
from pytest_ckpt.runs.training_run import MakeRun
from pytest_ckpt.state.freezing import freeze, generator_state
from pytest_ckpt.state.hidden import Slot, walk_graph
from pytest_ckpt.state.holding import children

__all__ = ["SharedState"]

_NUMBERS = (int, float)  # by exact type: a flag belongs to something that was set up, which cannot be undone
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_CONTAINERS = (list, dict, deque, defaultdict, OrderedDict, Counter)
_SIZE_LIMIT = 10_000


class SharedState:
    """What ``make_run`` reaches through globals, closures and classes: generators, numbers, data.

    In a new process it is what its module made it. Here the run before has moved it on, so it is put back
    before each run is made. A container that a save fills is left alone: a program may keep checkpoints there.
    """

    def __init__(self, make_run: MakeRun) -> None:
        self._make_run = make_run
        graph = walk_graph({}, {"make_run": make_run})
        self._first = {path: freeze(slot.value) for path, slot in graph.slots.items() if _is_shared(slot)}
        # Who holds them is found once: a walk at every run would cost more than the run.
        self._owners = {graph.slots[path].owner: graph.objects[graph.slots[path].owner] for path in self._first}
        self._settings = _settings()
        self._moved_on = False
        self._kept: list[list[Any]] = []
        self._caches = [item for item in graph.objects.values() if hasattr(type(item), "cache_clear")]
        self._counts = [
            (graph.objects[slot.owner], slot.assign, copy.copy(slot.value))
            for slot in graph.slots.values()
            if type(slot.value) is count and slot.assign is not None
        ]

    @contextmanager
    def sparing_stores(self, *, empty: bool = False) -> Iterator[None]:
        """Leave every container alone from now on that the body fills or changes.

        Args:
            empty: Only those that a new process finds empty: a load may fill a cache, or restore state.
        """
        watched = [p for p, v in self._first.items() if isinstance(v, _CONTAINERS) and not (empty and v)]
        before = self.read() if watched else {}
        yield
        after = self.read() if watched else {}
        for path in watched:
            if compare(before.get(path), after.get(path), traits=False):
                del self._first[path]

    def read(self) -> dict[str, Any]:
        """Return frozen copies of the values by path."""
        return {path: freeze(slot.value) for path, slot in self._slots().items()} | _settings()

    def write(self, values: dict[str, Any]) -> None:
        """Put values of :meth:`read` back."""
        _set_settings({key: value for key, value in values.items() if key in _SETTINGS})
        for path, slot in self._slots().items():
            if path not in values or not compare(values[path], freeze(slot.value), traits=False):
                continue
            if not fill(slot.value, freeze(values[path])) and slot.assign is not None:
                slot.assign(self._owners[slot.owner], freeze(values[path]))

    def fresh(self) -> Any:
        """Make a run as a new process would."""
        self.rewind()
        self._moved_on = True
        return self._make_run()

    def rewind(self) -> None:
        """Put everything back to where it was when this object was made."""
        if self._moved_on:
            self.write({**self._first, **self._settings})
        for cached in self._caches:
            # Kept until the end: what a cache holds, such as a temporary folder, the runs before may still use.
            self._kept += [list(held.values()) for held in gc.get_referents(cached) if isinstance(held, dict)]
            cached.cache_clear()
        for owner, assign, first in self._counts:
            assign(owner, copy.copy(first))

    def _slots(self) -> dict[str, Slot]:
        found: dict[str, Slot] = {}
        for path, owner in self._owners.items():
            for keys, value, assign in children((path,), owner):
                if (name := spell(keys)) in self._first:
                    found.setdefault(name, Slot(name, value, path, assign))
        return found


def _is_shared(slot: Slot) -> bool:
    value = slot.value
    if generator_state(value) is not None:
        return True
    if isinstance(value, torch.Tensor):
        return type(value) is torch.Tensor and value.numel() < _SIZE_LIMIT and not value.requires_grad
    if type(value) in _CONTAINERS:
        return len(value) < _SIZE_LIMIT and _is_builtin(value)
    return slot.assign is not None and type(value) in _NUMBERS


def _is_builtin(value: Any) -> bool:
    """Whether a value is made of python's own containers alone, so that a copy can stand in for it."""
    if isinstance(value, dict):
        return all(_is_builtin(item) for item in value.values())
    if type(value) in (*_CONTAINERS, tuple):
        return all(_is_builtin(item) for item in value)
    return type(value) in _PLAIN or type(value) is torch.Tensor


_SETTINGS = ("os.environ", "default_dtype")


def _settings() -> dict[str, Any]:
    return {"os.environ": dict(os.environ), "default_dtype": torch.get_default_dtype()}


def _set_settings(values: dict[str, Any]) -> None:
    if values.get("os.environ", os.environ) != os.environ:
        os.environ.clear()
        os.environ.update(values["os.environ"])
    if "default_dtype" in values:
        torch.set_default_dtype(values["default_dtype"])

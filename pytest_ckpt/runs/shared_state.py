"""What two runs in one process share although each is made anew: globals of the project's own modules."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pytest_ckpt.comparison import compare
from pytest_ckpt.runs.restoring import fill
from pytest_ckpt.runs.training_run import MakeRun
from pytest_ckpt.state.freezing import freeze, generator_state
from pytest_ckpt.state.hidden import Graph, Slot, walk_graph

__all__ = ["SharedState"]

_NUMBERS = (bool, int, float, str, type(None))
_SIZE_LIMIT = 10_000


class SharedState:
    """What ``make_run`` reaches through globals, closures and classes: generators, numbers, data.

    In a new process it is what its module made it. Here the run before has moved it on, so it is put back
    before each run is made. A container that a save fills is left alone: a program may keep checkpoints there.
    """

    def __init__(self, make_run: MakeRun) -> None:
        self._make_run = make_run
        self._first = {path: freeze(slot.value) for path, slot in self._graph().slots.items() if _is_shared(slot)}

    @contextmanager
    def sparing_stores(self, *, empty: bool = False) -> Iterator[None]:
        """Leave every container alone from now on that the body fills or changes.

        Args:
            empty: Only those that a new process finds empty: a load may fill a cache, or restore state.
        """
        before = self.read()
        yield
        after = self.read()
        for path, value in before.items():
            container = isinstance(value, list | dict) and not (empty and self._first[path])
            if container and compare(value, after.get(path), traits=False):
                del self._first[path]

    def read(self) -> dict[str, Any]:
        """Return frozen copies of the values by path."""
        slots = self._graph().slots if self._first else {}
        return {path: freeze(slots[path].value) for path in self._first if path in slots}

    def write(self, values: dict[str, Any]) -> None:
        """Put values of :meth:`read` back."""
        graph = self._graph() if values else None
        for path, value in values.items():
            if graph is None or (slot := graph.slots.get(path)) is None or slot.value is value:
                continue
            if not fill(slot.value, value):
                graph.put(slot, freeze(value))

    def fresh(self) -> Any:
        """Make a run as a new process would."""
        self.write(self._first)
        return self._make_run()

    def _graph(self) -> Graph:
        return walk_graph({}, {"make_run": self._make_run})


def _is_shared(slot: Slot) -> bool:
    value = slot.value
    if generator_state(value) is not None:
        return True
    if isinstance(value, torch.Tensor):
        return value.numel() < _SIZE_LIMIT and not value.requires_grad
    if isinstance(value, list | dict | deque):
        return len(value) < _SIZE_LIMIT
    return slot.assign is not None and isinstance(value, _NUMBERS)


def _value(slot: Slot) -> Any:
    return freeze(slot.value)

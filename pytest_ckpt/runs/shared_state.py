"""What two runs in one process share although each is made anew: globals of the project's own modules."""

from __future__ import annotations

from typing import Any

from pytest_ckpt.runs.restoring import restore_generator
from pytest_ckpt.runs.training_run import MakeRun
from pytest_ckpt.state.freezing import freeze, generator_state
from pytest_ckpt.state.hidden import Graph, Slot, walk_graph

__all__ = ["SharedState"]

_NUMBERS = (bool, int, float, str, type(None))


class SharedState:
    """The random generators and numbers that ``make_run`` reaches through globals, closures and classes.

    In a new process they are what their module made them. Here the run before has moved them on, so they
    are put back before each run is made. Containers are left alone: a program may keep its checkpoints in one.
    """

    def __init__(self, make_run: MakeRun) -> None:
        self._make_run = make_run
        self._first = self.read()

    def read(self) -> dict[str, Any]:
        """Return frozen copies of the values by path."""
        found = {path: slot for path, slot in self._graph().slots.items() if _is_shared(slot)}
        return {
            path: freeze(slot.value if (state := generator_state(slot.value)) is None else state)
            for path, slot in found.items()
        }

    def write(self, values: dict[str, Any]) -> None:
        """Put values of :meth:`read` back."""
        if not values:
            return
        graph = self._graph()
        for path, value in values.items():
            slot = graph.slots.get(path)
            if slot is not None and generator_state(slot.value) is not None:
                restore_generator(slot.value, value)
            elif slot is not None and slot.value is not value:
                graph.put(slot, value)

    def fresh(self) -> Any:
        """Make a run as a new process would."""
        self.write(self._first)
        return self._make_run()

    def _graph(self) -> Graph:
        return walk_graph({}, {"make_run": self._make_run})


def _is_shared(slot: Slot) -> bool:
    if generator_state(slot.value) is not None:
        return True
    return slot.assign is not None and isinstance(slot.value, _NUMBERS)

"""Finding the stateful objects in what a ``make_run`` returned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_ckpt.errors import UsageError
from pytest_ckpt.state.capture import is_stateful
from pytest_ckpt.state.freezing import object_attributes

__all__ = ["stateful_attributes"]


def stateful_attributes(obj: Any) -> dict[str, Any]:
    """Return the stateful objects among an object's attributes, by attribute name.

    The rule is that of ``torch.distributed.checkpoint.stateful.Stateful``: ``state_dict`` and
    ``load_state_dict``. Lists, tuples and mappings of such objects are looked into.

    Raises:
        UsageError: If there is none.
    """
    found: dict[str, Any] = {}
    known: set[int] = set()
    for name, value in object_attributes(obj).items():
        for path, item in _stateful_items(name, value):
            if id(item) not in known:
                known.add(id(item))
                found[path] = item
    if not found:
        names = ", ".join(sorted(object_attributes(obj))) or "none"
        raise UsageError(
            f"No attribute of this {type(obj).__qualname__} has state_dict() and load_state_dict() "
            f"(attributes: {names}). Return TrainingRun(components={{...}}) from make_run."
        )
    return found


def _stateful_items(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if is_stateful(value):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if is_stateful(item):
                yield f"{name}.{key}", item
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if is_stateful(item):
                yield f"{name}[{index}]", item

"""What can be done to an optimizer's state dict in a checkpoint: that of other parameters, or of another order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from typing import Any

import torch

from pytest_ckpt.editing.content import Document
from pytest_ckpt.editing.edits import Edit, edit_at
from pytest_ckpt.editing.places import at_place, changed, optimizer_states, refilled, renamed, replaced, tensors

__all__ = ["foreign_optimizers", "other_parameter_order"]

_Change = Callable[[Any], Any]


def foreign_optimizers(document: Document) -> list[Edit]:
    """Return edits that make each optimizer's state one for fewer, more or larger parameters, or for more groups."""
    return [*_edits(document, _foreign), *_edits(document, _larger, lenient=_ONLY_IN_A_STEP)]


_ONLY_IN_A_STEP = "torch takes moments of any shape and raises when it steps"


def other_parameter_order(document: Document) -> list[Edit]:
    """Return edits that make each optimizer's state one for parameters in another order, or under other names.

    In each group two parameters change places whose state has the same shapes and other values; names that the
    file holds change places with them.
    """
    return _edits(document, _reordered)


def _edits(
    document: Document, changes: Callable[[Any], Iterator[tuple[str, _Change]]], lenient: str = ""
) -> list[Edit]:
    return [
        edit_at(document, name, keys, words, partial(changed, keys=keys, change=change), lenient=lenient)
        for name, file in document.readable.items()
        for keys in optimizer_states(file.content)
        for words, change in changes(at_place(file.content, keys))
    ]


def _foreign(state_dict: Any) -> Iterator[tuple[str, _Change]]:
    groups = state_dict["param_groups"]
    if groups and groups[-1]["params"]:
        yield "one parameter fewer", _without_last
        yield "one parameter more", _with_another
        yield "one group more", _with_another_group


def _larger(state_dict: Any) -> Iterator[tuple[str, _Change]]:
    state = state_dict["state"]
    larger = next((key for key, value in state.items() if any(t.ndim for _, t in tensors(value))), None)
    if larger is not None:
        yield f"state[{larger}] of a larger parameter", partial(changed, keys=("state", larger), change=_enlarged)


def _without_last(state_dict: Any) -> Any:
    *groups, last = state_dict["param_groups"]
    shorter = {key: value[:-1] if key in _PER_PARAMETER else value for key, value in last.items()}
    kept = {key: value for key, value in state_dict["state"].items() if key != last["params"][-1]}
    return _with(state_dict, param_groups=[*groups, shorter], state=kept)


_PER_PARAMETER = ("params", "param_names")


def _with_another(state_dict: Any) -> Any:
    *groups, last = state_dict["param_groups"]
    new = _new_key(state_dict)
    longer = {**last, "params": [*last["params"], new]}
    if "param_names" in last:
        longer["param_names"] = [*last["param_names"], "another"]
    return _with(state_dict, param_groups=[*groups, longer], state=_with_state(state_dict, new))


def _with_another_group(state_dict: Any) -> Any:
    groups, new = state_dict["param_groups"], _new_key(state_dict)
    another = {**groups[-1], "params": [new]}
    if "param_names" in another:
        another["param_names"] = ["another"]
    return _with(state_dict, param_groups=[*groups, another], state=_with_state(state_dict, new))


def _new_key(state_dict: Any) -> Any:
    keys = [key for group in state_dict["param_groups"] for key in group["params"]]
    return max(keys) + 1 if all(isinstance(key, int) for key in keys) else "another"


def _with_state(state_dict: Any, new: Any) -> dict[Any, Any]:
    state = dict(state_dict["state"])
    last = state_dict["param_groups"][-1]["params"][-1]
    return {**state, new: state[last]} if last in state else state


def _with(state_dict: Any, **entries: Any) -> Any:
    return refilled(state_dict, {**state_dict, **entries})


def _enlarged(value: Any) -> Any:
    for keys, tensor in list(tensors(value)):
        if tensor.ndim:
            value = changed(value, keys, lambda t: torch.cat([t, t]))
    return value


def _reordered(state_dict: Any) -> Iterator[tuple[str, _Change]]:
    for number, group in enumerate(state_dict["param_groups"]):
        pairs = combinations(range(len(group["params"])), 2)
        pair = next((pair for pair in pairs if _can_be_mistaken(state_dict, group, pair)), None)
        if pair is None:
            continue
        one, other = (_called(group, position) for position in pair)
        yield f"parameters {one} and {other} in the other order", partial(_exchanged, group=number, pair=pair)
        if isinstance(one, str):
            yield f"parameter {one} renamed", partial(_with_new_name, group=number, position=pair[0])


def _called(group: Any, position: int) -> Any:
    """Return a parameter's name, or its number in a file that holds no names."""
    return group.get("param_names", group["params"])[position]


def _can_be_mistaken(state_dict: Any, group: Any, pair: tuple[int, int]) -> bool:
    state = state_dict["state"]
    mine, others = (dict(tensors(state.get(group["params"][position]))) for position in pair)
    if [(keys, t.shape) for keys, t in mine.items()] != [(keys, t.shape) for keys, t in others.items()]:
        return False
    return any(not torch.equal(mine[keys], others[keys]) for keys in mine)


def _exchanged(state_dict: Any, group: int, pair: tuple[int, int]) -> Any:
    found = state_dict["param_groups"][group]
    if isinstance(found["params"][pair[0]], str):  # State by name stays with its name.
        return changed(state_dict, ("param_groups", group, "params"), partial(_swapped, pair=pair))
    one, other = (found["params"][position] for position in pair)
    state = state_dict["state"]
    state_dict = _with(state_dict, state={**state, one: state[other], other: state[one]})
    if "param_names" not in found:
        return state_dict
    return changed(state_dict, ("param_groups", group, "param_names"), partial(_swapped, pair=pair))


def _swapped(items: list[Any], pair: tuple[int, int]) -> list[Any]:
    items = list(items)
    items[pair[0]], items[pair[1]] = items[pair[1]], items[pair[0]]
    return items


def _with_new_name(state_dict: Any, group: int, position: int) -> Any:
    found = state_dict["param_groups"][group]
    where = "param_names" if "param_names" in found else "params"
    old = found[where][position]
    new = f"{old}_renamed"
    state_dict = replaced(state_dict, ("param_groups", group, where, position), new)
    return renamed(state_dict, ("state", old), new) if where == "params" else state_dict

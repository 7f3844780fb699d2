"""The lines that save and load a run without functions of its own: state dicts, and the random state beside them."""

from __future__ import annotations

import json
import random
from typing import Any

import torch

from pytest_ckpt.runs.restoring import load_order
from pytest_ckpt.strategies.machine.subject import Subject

__all__ = ["load_lines", "quoted", "save_lines"]


def save_lines(subject: Subject, *, numpy: bool) -> list[str]:
    """Return the function that saves a run."""
    own = subject.storage == "torch"
    write = "torch.save(states, path)" if own else f"get_format({quoted(subject.storage)}).save(states, path)"
    lines = [f"        {quoted(name)}: {_state_of(subject, name)}," for name in subject.components]
    more = ["np.random.get_state()"] if numpy else []
    states = ", ".join(["random.getstate()", *more, "torch.get_rng_state()"])
    return [
        *("def save(run, path):", "    parts = components(run)", "    states = {", *lines, "    }", f"    {write}"),
        f"    random_states[path] = {states}",
    ]


def load_lines(subject: Subject, *, numpy: bool) -> list[str]:
    """Return the function that loads what :func:`save_lines` saves."""
    own = subject.storage == "torch"
    read = 'torch.load(path, map_location="cpu")' if own else f"get_format({quoted(subject.storage)}).load(path)"
    lines = [f"    {_restored(subject, name)}" for name in load_order(subject.components)]
    back = ["    random.setstate(random_states[path][0])", "    torch.set_rng_state(random_states[path][-1])"]
    if numpy:
        back.insert(1, "    np.random.set_state(random_states[path][1])")
    return ["def load(run, path):", f"    parts, states = components(run), {read}", *lines, *back]


def _state_of(subject: Subject, name: str) -> str:
    part, place = subject.components[name], f"parts[{quoted(name)}]"
    if subject.whole:
        return place
    if callable(getattr(part, "state_dict", None)):
        return f"{place}.state_dict()"
    return f"{place}{_READ.get(_kind(part), '')}"


def _restored(subject: Subject, name: str) -> str:
    part, place, state = subject.components[name], f"parts[{quoted(name)}]", f"states[{quoted(name)}]"
    if callable(getattr(part, "load_state_dict", None)):
        return f"{place}.load_state_dict({state}{'.state_dict()' if subject.whole else ''})"
    kind = _kind(part)
    return f"{place}{_WRITE.get(kind, ' = {}').format(state + (_READ.get(kind, '') if subject.whole else ''))}"


def quoted(text: str) -> str:
    """Return a string as Python spells it, in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _kind(part: Any) -> str:
    if isinstance(part, random.Random):
        return "python"
    if isinstance(part, torch.Generator):
        return "torch"
    if hasattr(part, "bit_generator"):
        return "numpy"
    return "list" if isinstance(part, list) else "dict" if isinstance(part, dict) else "tensor"


_READ = {"python": ".getstate()", "torch": ".get_state()", "numpy": ".bit_generator.state"}
_WRITE = {
    "python": ".setstate({})",
    "torch": ".set_state({})",
    "numpy": ".bit_generator.state = {}",
    "list": "[:] = {}",
    "dict": ".update({})",
    "tensor": ".detach().copy_({})",
}

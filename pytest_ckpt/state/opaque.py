"""Where an iterator stands, and what a file or a handle tells of itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import GeneratorType, GetSetDescriptorType, MemberDescriptorType
from typing import Any

from pytest_ckpt.state.belonging import is_value
from pytest_ckpt.state.freezing import freeze, object_attributes

__all__ = ["position_of"]


def position_of(thing: Any, _open: tuple[int, ...] = ()) -> Any:
    """Return a value that differs when two things of one kind stand at different places.

    A generator's line and plain locals, the offset of a file, what a builtin iterator pickles as, an object's
    attributes and what its C type shows. An iterator that is met again inside itself becomes its class name.
    """
    if id(thing) in _open:  # such as an iterator that draws from a generator method of its own
        return f"<{type(thing).__qualname__} again>"
    within = (*_open, id(thing))
    if isinstance(thing, GeneratorType):
        return _generator_position(thing, within)
    if _is_file(thing):
        return {"offset": _offset(thing)}
    if attributes := object_attributes(thing):
        return _plain(attributes, within)
    if not hasattr(thing, "__next__"):
        return dict(_members(thing))
    try:
        _, arguments, *state = thing.__reduce__()
    except Exception:  # an iterator that does not let itself be pickled
        return dict(_members(thing))
    inner = [position_of(item, within) if hasattr(item, "__next__") else freeze(item) for item in arguments]
    return {"of": inner, "position": freeze(state)}


def _is_file(thing: Any) -> bool:
    try:
        return hasattr(thing, "fileno") and hasattr(thing, "tell")
    except Exception:  # a __getattr__ that raises something else than AttributeError
        return False


def _generator_position(generator: GeneratorType[Any, Any, Any], within: tuple[int, ...]) -> Any:
    frame = generator.gi_frame
    if frame is None:
        return "finished"
    parts = _plain(frame.f_locals, within)
    if hasattr(generator.gi_yieldfrom, "__next__"):
        parts["yield from"] = position_of(generator.gi_yieldfrom, within)
    return {**parts, "position": frame.f_lasti}


def _plain(attributes: dict[str, Any], within: tuple[int, ...]) -> dict[str, Any]:
    plain = {name: freeze(item) for name, item in attributes.items() if is_value(item) or isinstance(item, list)}
    return plain | {name: position_of(item, within) for name, item in attributes.items() if hasattr(item, "__next__")}


def _offset(file: Any) -> int | None:
    try:
        return int(file.tell())
    except (OSError, ValueError):
        pass  # A text file that is being iterated does not tell; its descriptor does.
    try:
        return os.lseek(file.fileno(), 0, os.SEEK_CUR)
    except (OSError, ValueError):
        return None  # closed, or no file


def _members(thing: Any) -> Iterator[tuple[str, Any]]:
    for base in type(thing).__mro__:
        for name, member in vars(base).items():
            if isinstance(member, GetSetDescriptorType | MemberDescriptorType) and not name.startswith("__"):
                try:
                    value = getattr(thing, name)
                except Exception:  # a handle that is closed
                    continue
                if is_value(value):
                    yield name, value

"""Where an iterator stands, as far as it tells."""

from __future__ import annotations

from types import GeneratorType
from typing import Any

from pytest_ckpt.state.freezing import freeze, object_attributes

__all__ = ["iterator_position"]


def iterator_position(iterator: Any) -> Any:
    """Return a value that differs when two iterators of one kind stand at different places.

    A generator's line and plain locals, what a builtin iterator pickles as, an object's attributes; the
    ``repr`` where there is nothing else.
    """
    if isinstance(iterator, GeneratorType):
        frame = iterator.gi_frame
        if frame is None:
            return "finished"
        plain = {k: freeze(v) for k, v in frame.f_locals.items() if isinstance(v, int | float | str | list)}
        parts = {k: iterator_position(v) for k, v in frame.f_locals.items() if hasattr(v, "__next__")}
        if hasattr(iterator.gi_yieldfrom, "__next__"):
            parts["yield from"] = iterator_position(iterator.gi_yieldfrom)
        return {**plain, **parts, "position": frame.f_lasti}
    if attributes := object_attributes(iterator):
        plain = {k: v for k, v in attributes.items() if isinstance(v, int | float | str)}
        return plain | {k: iterator_position(v) for k, v in attributes.items() if hasattr(v, "__next__")}
    try:
        _, arguments, *state = iterator.__reduce__()
    except (TypeError, AttributeError, ValueError):
        return repr(iterator)
    inner = [iterator_position(item) if hasattr(item, "__next__") else freeze(item) for item in arguments]
    return {"of": inner, "position": freeze(state)}

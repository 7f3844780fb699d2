"""Names and counts of a component, such as a counter's, that an old checkpoint holds and a run of today does not take.

They cannot be told by their content as tensors can: a 2 is a 2. Their paths are compared instead, with what they are in
a fresh run and in a trained one.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_ckpt.golden.arrival import Arrival
from pytest_ckpt.golden.manifest import Manifest
from pytest_ckpt.golden.verdict import Finding
from pytest_ckpt.golden.words import form_of

__all__ = ["lost_values"]


def lost_values(written: Manifest, reader: Manifest, arrival: Arrival, own: Arrival) -> Iterator[Finding]:
    """Yield what the checkpoint has and the loaded run has not.

    Args:
        written: The manifest of the checkpoint.
        reader: That of what the reading version saves.
        arrival: What it took of the checkpoint.
        own: What it took of its own one.
    """
    old, new, now, restored = written.state, reader.state, dict(arrival.plain), dict(own.plain)
    untouched, made = set(arrival.untouched), set(arrival.made)
    anew = [p for p in now if p not in old and p in untouched and restored.get(p) == new.get(p) != now[p]]
    for path, words in old.items():
        loses = form_of(words) != words and path in untouched and now[path] != words
        if loses and restored.get(path) == new.get(path) and new.get(path) != now[path]:
            yield Finding(path=path, kind="lost", old=words, new=now[path], weight="breaking")
        elif path in made and path not in new:
            holder = reader.components.get(_component(path), {}).get("class", "the component")
            told = f"{words}, which nothing in {holder} knows"
            yield Finding(path=path, kind="of another class", old=words, new=told, weight="breaking")
        elif path not in now and form_of(words) != words:
            beside = [other for other in anew if _component(other) == _component(path)]
            taken = [p for p in now if p not in old and p not in untouched and _component(p) == _component(path)]
            if not beside and taken:
                yield Finding(path=path, kind="under another name", old=words, new=taken[0], weight="migration")
            elif beside:
                told = f"nothing; {beside[0]} starts anew at {now[beside[0]]}"
                yield Finding(path=path, kind="lost", old=words, new=told, weight="breaking", also=tuple(beside))


def _component(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]

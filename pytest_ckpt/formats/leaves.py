"""A walk over a payload, to what a format has to keep one by one."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping

from pytest_ckpt.paths import Keys

__all__ = ["MAPPINGS", "SEQUENCES", "leaves"]

# Exactly these are walked into; a subclass holds more than its items, so it is a leaf.
MAPPINGS: tuple[type, ...] = (dict, OrderedDict, Counter)
SEQUENCES: tuple[type, ...] = (list, tuple)


def leaves(value: object, keys: Keys = (), _above: tuple[int, ...] = ()) -> Iterator[tuple[Keys, object]]:
    """Yield every value that is no plain container, with its keys from the root.

    Keys of mappings are yielded as well if they are neither strings nor integers, and so is a container
    that contains itself.
    """
    if type(value) not in (*MAPPINGS, *SEQUENCES) or id(value) in _above:
        yield keys, value
        return
    above = (*_above, id(value))
    if isinstance(value, Mapping):
        for key, item in value.items():
            if type(key) not in (str, int):
                yield from leaves(key, (*keys, key), above)
            yield from leaves(item, (*keys, key), above)
        for name, attribute in getattr(value, "__dict__", {}).items():  # such as an OrderedDict's _metadata
            yield from leaves(attribute, (*keys, name), above)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from leaves(item, (*keys, index), above)

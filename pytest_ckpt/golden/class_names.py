"""Classes that are pickled under the names they had in another version of the code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType

__all__ = ["classes_called"]


@contextmanager
def classes_called(names: Mapping[str, str]) -> Iterator[None]:
    """Let pickles that are written in the body call classes by other names.

    Args:
        names: Today's dotted name of each class to the other one.
    """
    with ExitStack() as stack:
        for today, old in names.items():
            _rename(stack, today, old)
        yield


def _rename(stack: ExitStack, today: str, old: str) -> None:
    module, _, name = today.replace(":", ".").rpartition(".")
    kind = getattr(import_module(module), name)
    if not isinstance(kind, type):
        raise ValueError(f"{today} is no class")
    old_module, _, old_name = old.replace(":", ".").rpartition(".")
    # pickle looks a class up under its name before it writes that.
    stand_in = ModuleType(old_module)
    there = sys.modules.get(old_module)
    if there is not None:
        stand_in.__dict__.update(there.__dict__)
    setattr(stand_in, old_name, kind)
    stack.callback(_put_back, old_module, there)
    sys.modules[old_module] = stand_in
    for attribute, value in (("__module__", old_module), ("__qualname__", old_name), ("__name__", old_name)):
        stack.callback(setattr, kind, attribute, getattr(kind, attribute))
        setattr(kind, attribute, value)


def _put_back(name: str, module: ModuleType | None) -> None:
    if module is None:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = module

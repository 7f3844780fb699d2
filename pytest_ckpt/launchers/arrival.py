"""What was packed in one process is unpacked in another: modules are imported from where they came from."""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import io
import pickle
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from pytest_ckpt.launchers.travel import Package, Places

__all__ = ["unpack"]

_MAIN, _MAIN_HERE = "__main__", "__mp_main__"


def unpack(package: Package) -> Any:
    """Return what was packed.

    Called once in a process, which takes over ``sys.path``, ``sys.argv`` and where modules come from.
    """
    sys.path[:] = package.path
    sys.argv[:] = package.argv
    sys.meta_path.insert(0, _SamePlaces(package.places))
    main = package.places.get(_MAIN)
    if main is not None and _MAIN.encode() in package.data:
        _import_main(main.file)
    if not package.by_value:
        return pickle.loads(package.data)
    import dill

    thing = dill.Unpickler(io.BytesIO(package.data), ignore=True).load()
    if main is None:
        _fill_main(thing)
    return thing


class _SamePlaces(importlib.abc.MetaPathFinder):
    """Finds each module where the other process had it, whatever the mode pytest imports in."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._parents = {
            ".".join(name.split(".")[:count]) for name in places for count in range(1, name.count(".") + 1)
        }

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        place = self._places.get(name)
        if place is not None and name != _MAIN:
            return importlib.util.spec_from_file_location(
                name, place.file, submodule_search_locations=None if place.folders is None else list(place.folders)
            )
        if name not in self._parents or importlib.machinery.PathFinder.find_spec(name, path) is not None:
            return None
        # A folder that is no package, in a name that pytest has given: `tests.unit.test_trainer`.
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = []
        return spec


def _import_main(file: str) -> None:
    """Run the script that was started there as multiprocessing does: under another name, so that it need not train."""
    spec = importlib.util.spec_from_file_location(_MAIN_HERE, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MAIN] = sys.modules[_MAIN_HERE] = module
    spec.loader.exec_module(module)


def _fill_main(thing: Any) -> None:
    """Give ``__main__`` what a function of a session without a file uses: pickles in its files name classes there."""
    for item in thing if isinstance(thing, tuple) else (thing,):
        while isinstance(item, functools.partial):
            item = item.func
        owner = getattr(item, "__self__", None)
        found = dict(getattr(item, "__globals__", {}))
        for kind in (owner, type(owner), item, type(item)):
            if isinstance(kind, type) and kind.__module__ == _MAIN:
                found[kind.__name__] = kind
        for name, value in found.items():
            vars(sys.modules[_MAIN]).setdefault(name, value)

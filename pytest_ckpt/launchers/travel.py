"""How a function gets into another process: by import where it can be imported, else by value."""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from pytest_ckpt.errors import CkptError
from pytest_ckpt.state.belonging import LIBRARY_FOLDERS

__all__ = ["CannotTravel", "Package", "Place", "Places", "libraries_in_use", "pack", "places_of_modules"]

_MAIN = "__main__"
_OURS = ("pytest_ckpt", "__mp_main__")


class CannotTravel(CkptError):
    """Something cannot be sent to another process."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a module comes from.

    Attributes:
        file: Its file; empty for a package that has none.
        folders: Where its submodules are; ``None`` if it is no package.
    """

    file: str
    folders: tuple[str, ...] | None


Places = dict[str, Place]


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """Something packed for the way.

    Attributes:
        data: The pickle.
        by_value: Whether its code is in it, by dill; else only its name.
        places: The project's modules and where they come from.
        path: ``sys.path``, absolute.
        argv: ``sys.argv``.
    """

    data: bytes
    by_value: bool
    places: Places = field(repr=False)
    path: tuple[str, ...] = field(repr=False)
    argv: tuple[str, ...] = field(repr=False)


def pack(thing: Any, name: str = "") -> Package:
    """Pack a function, or anything else that can be pickled by name or by value.

    What is packed by value is as it is now: pack it before it is used.

    Args:
        thing: What is packed.
        name: What to call it if that is not possible; default: its own name.

    Raises:
        CannotTravel: If it can be pickled in neither way.
    """
    data, by_value = _pickled(thing, name or getattr(thing, "__qualname__", type(thing).__qualname__))
    return Package(
        data=data,
        by_value=by_value,
        places=places_of_modules(),
        path=tuple(os.path.abspath(entry) for entry in sys.path),
        argv=tuple(sys.argv),
    )


def _pickled(thing: Any, name: str) -> tuple[bytes, bool]:
    try:
        data = pickle.dumps(thing, protocol=5)
        if _main_has_a_file() or _MAIN.encode() not in data:
            return data, False
    except Exception:  # pickle and the objects in it raise what they like.
        pass
    import dill

    try:
        # Of a main module without a file nothing can be imported: take along what the function uses.
        return dill.dumps(thing, recurse=not _main_has_a_file()), True
    except Exception as error:
        raise CannotTravel(
            f"{name} cannot be sent to a new process, {type(error).__name__}: {(str(error).splitlines() or [''])[0]}. "
            "Move it, with what it needs, to the top of a module."
        ) from None


def _main_has_a_file() -> bool:
    return getattr(sys.modules.get(_MAIN), "__file__", None) is not None


def places_of_modules() -> Places:
    """Return where the modules come from that belong to neither python nor an installed library."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name not in _of_libraries and (place := _place_of(name, module)) is not None:
            found[name] = place
    return found


_of_libraries: set[str] = set()
"""Names that need not be looked at again: there are thousands."""


def _place_of(name: str, module: ModuleType | None) -> Place | None:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return None
    if file.startswith(LIBRARY_FOLDERS) or name.split(".")[0] in _OURS:
        _of_libraries.add(name)
        return None
    if not file.endswith(".py") or not os.path.isfile(file):
        return None
    path = getattr(module, "__path__", None)
    return Place(file=os.path.abspath(file), folders=None if path is None else tuple(path))


def libraries_in_use() -> list[str]:
    """Return the modules of installed libraries that the project's modules use by name, sorted."""
    found: set[str] = set()
    for name in places_of_modules():
        for value in list(vars(sys.modules[name]).values()):
            of = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(of, str) and of in _of_libraries and of.split(".")[0] not in _OURS:
                found.add(of)
    return sorted(found)

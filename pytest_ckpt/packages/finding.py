"""Which classes of a package can hold training state, and under which name a user knows them."""

from __future__ import annotations

import inspect
import pkgutil
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, TypeAlias

import torch

from pytest_ckpt.packages.guarding import Refused, guarded, in_a_line
from pytest_ckpt.runs.isolation import isolated

__all__ = ["FoundClass", "Kind", "Survey", "survey"]

Kind: TypeAlias = Literal["module", "optimizer", "scheduler"]

_IMPORT_SECONDS = 60
_NO_LIBRARY = ("__main__", "conftest", "setup", "test", "testing", "tests")
_STATEFUL = ("state_dict", "load_state_dict")


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundClass:
    """A class of a package that may hold training state.

    Attributes:
        name: Its shortest public name below the package: ``classification.BinaryAccuracy``.
        kind: What it is.
        cls: The class.
        left_out: Why it is not tried at all; empty if it is.
    """

    name: str
    kind: Kind
    cls: type[Any]
    left_out: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What a package is made of.

    Attributes:
        classes: Its classes by name, each once.
        unread: Its modules that cannot be imported, to the reason.
    """

    classes: tuple[FoundClass, ...]
    unread: dict[str, str]


def survey(package: str) -> Survey:
    """Import a package with all that is in it, and return the classes that are defined there.

    Left alone are its tests and ``__main__``. A module that cannot be imported is reported and no error.

    Raises:
        Exception: What importing the package itself raises.
    """
    with isolated():
        modules, unread = _import_all(import_module(package))
    return Survey(classes=tuple(_classes(package, modules)), unread=unread)


def _import_all(root: ModuleType) -> tuple[dict[str, ModuleType], dict[str, str]]:
    modules, unread = {root.__name__: root}, {}
    waiting = [root]
    while waiting:
        parent = waiting.pop(0)
        for found in pkgutil.iter_modules(getattr(parent, "__path__", ()), f"{parent.__name__}."):
            if not _is_library(found.name.rpartition(".")[2]):
                continue
            try:
                with guarded(_IMPORT_SECONDS):
                    modules[found.name] = module = import_module(found.name)
            except (Exception, SystemExit, Refused) as error:
                unread[found.name.removeprefix(f"{root.__name__}.")] = f"cannot be imported: {in_a_line(error)}"
            else:
                waiting.append(module)
    return modules, unread


def _is_library(name: str) -> bool:
    return name not in _NO_LIBRARY and not name.startswith("test_") and not name.endswith("_test")


def _classes(package: str, modules: dict[str, ModuleType]) -> list[FoundClass]:
    names: dict[type[Any], list[tuple[str, ...]]] = {}
    for module, content in modules.items():
        below = tuple(module.split(".")[package.count(".") + 1 :])
        for attribute, value in list(vars(content).items()):
            if isinstance(value, type) and f"{value.__module__}.".startswith(f"{package}."):
                names.setdefault(value, []).append((*below, attribute))
    found = [
        FoundClass(name=_shortest(cls, paths), kind=kind, cls=cls, left_out=_left_out(cls, paths, kind))
        for cls, paths in names.items()
        if (kind := kind_of(cls)) is not None
    ]
    return sorted(found, key=lambda item: item.name)


def _shortest(cls: type[Any], paths: list[tuple[str, ...]]) -> str:
    """Return the name to call a class by: public if it has such a name, its own, of few parts."""
    best = min(
        paths, key=lambda path: (_is_private(path), path[-1] != cls.__name__, len(path), len(".".join(path)), path)
    )
    return ".".join(best)


def _is_private(path: tuple[str, ...]) -> bool:
    return any(part.startswith("_") for part in path)


def kind_of(cls: type[Any]) -> Kind | None:
    """Return what a class is; ``None`` where it is none of the three."""
    if issubclass(cls, torch.nn.Module):
        return "module"
    if issubclass(cls, torch.optim.Optimizer):
        return "optimizer"
    if issubclass(cls, torch.optim.lr_scheduler.LRScheduler):
        return "scheduler"
    if not all(callable(getattr(cls, name, None)) for name in (*_STATEFUL, "step")) or _is_protocol(cls):
        return None
    if callable(getattr(cls, "zero_grad", None)):
        return "optimizer"
    return "scheduler" if _first_parameter(cls) == "optimizer" else None


def _is_protocol(cls: type[Any]) -> bool:
    return bool(getattr(cls, "_is_protocol", False))


def _first_parameter(cls: type[Any]) -> str:
    try:
        return next(iter(inspect.signature(cls).parameters), "")
    except (TypeError, ValueError):
        return ""


def _left_out(cls: type[Any], paths: list[tuple[str, ...]], kind: Kind) -> str:
    if all(map(_is_private, paths)):
        return "private"
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        return f"abstract: it leaves {missing} to its subclasses"
    if kind == "module" and not _defines_forward(cls):
        return "abstract: it has no forward()"
    if kind == "optimizer" and getattr(cls, "step", None) is torch.optim.Optimizer.step:
        return "abstract: it has no step()"
    return ""


def _defines_forward(cls: type[Any]) -> bool:
    # torch gives each module a forward that raises; a class whose __new__ makes another one needs none.
    own = [base for base in cls.__mro__ if base not in (object, torch.nn.Module)]
    return any("forward" in vars(base) or "__new__" in vars(base) for base in own)

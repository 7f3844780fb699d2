"""Which formats there are. Imports none of them, so that names can be listed without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pytest_ckpt.errors import MissingDependencyError, UsageError

if TYPE_CHECKING:
    from pytest_ckpt.formats.protocol import Format

__all__ = ["BUILTIN_FORMATS", "Entry", "format_names", "get_format", "register_formats"]


class Entry(NamedTuple):
    """Where a format lives, and what to install when its import fails."""

    module: str
    install: str


def _pickle_entries(package: str, install: str) -> dict[str, Entry]:
    # torch.save writes no protocol 0: its references to storages are tuples, which that protocol
    # turns into text, and torch.load refuses them ("saved_id must be a tuple, got str").
    names = [package, *(f"{package}-{protocol}" for protocol in range(6)), f"{package}-whole"]
    names += [f"torch+{package}", *(f"torch+{package}-{protocol}" for protocol in range(1, 6))]
    return dict.fromkeys(names, Entry(f"pytest_ckpt.formats.with_{package}", install))


_TORCH = Entry("pytest_ckpt.formats.torch_save", "torch")

BUILTIN_FORMATS: Mapping[str, Entry] = MappingProxyType(
    {
        "torch": _TORCH,
        "torch-bytesio": _TORCH,
        "torch-full": _TORCH,
        "torch-legacy": _TORCH,
        "torch-mmap": _TORCH,
        "torch-whole": _TORCH,
        "safetensors": Entry("pytest_ckpt.formats.with_safetensors", "safetensors"),
        "dcp": Entry("pytest_ckpt.formats.with_dcp", "torch"),
        **_pickle_entries("pickle", "torch"),
        **_pickle_entries("dill", "dill"),
        **_pickle_entries("cloudpickle", "cloudpickle"),
    }
)

_registered: dict[str, Format] = {}


def format_names() -> tuple[str, ...]:
    """Name every format that can be asked for, registered ones last."""
    return (*BUILTIN_FORMATS, *_registered)


def get_format(name: str) -> Format:
    """Import and return the format called ``name``.

    Raises:
        UsageError: If no format has that name.
        MissingDependencyError: If its package is not installed.
    """
    if name in _registered:
        return _registered[name]
    if name not in BUILTIN_FORMATS:
        raise UsageError(_unknown(name))
    module, install = BUILTIN_FORMATS[name]
    try:
        formats: Mapping[str, Format] = import_module(module).FORMATS
    except ModuleNotFoundError as error:
        # A package that is there, but misses one of its own, has to speak for itself.
        if error.name is None or error.name.partition(".")[0] != install:
            raise
        raise MissingDependencyError(f"The format {name!r} needs {install}: pip install {install}") from error
    return formats[name]


def register_formats(formats: Iterable[Format] | Mapping[str, Format]) -> Callable[[], None]:
    """Make more formats known by their names, and return a function that takes them back.

    Raises:
        UsageError: If a name is taken, or a mapping has a format under another name than its own; then
            none of the formats is registered.
    """
    if isinstance(formats, Mapping):
        for key, format in formats.items():
            if key != format.name:
                raise UsageError(f"The checkpoint format {format.name!r} is listed as {key!r}. Use one name.")
        formats = formats.values()
    new: dict[str, Format] = {}
    for format in formats:
        if format.name in new or format.name in format_names():
            raise UsageError(f"There is a checkpoint format {format.name!r} already. Give yours another name.")
        new[format.name] = format
    _registered.update(new)

    def unregister() -> None:
        for name in new:
            _registered.pop(name, None)

    return unregister


def _unknown(name: str) -> str:
    close = get_close_matches(name, format_names(), n=3)
    known = f"Known formats: {', '.join(format_names())}."
    hint = f"Did you mean {' or '.join(map(repr, close))}?" if close else known
    return f"There is no checkpoint format {name!r}. {hint} Add your own with the pytest_ckpt_formats hook."

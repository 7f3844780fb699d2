"""Whose an object is: the project's own, or python's and a library's."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import sys
import sysconfig
import uuid
from array import array
from types import ModuleType
from typing import Any

import torch

__all__ = ["LIBRARY_FOLDERS", "is_foreign", "is_project_module", "is_value"]

_VALUES = (
    *(bool, int, float, complex, str, bytes, bytearray, type(None), range, slice, set, frozenset, array),
    *(decimal.Decimal, fractions.Fraction, enum.Enum, uuid.UUID, pathlib.PurePath),
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo),
    *(torch.Tensor, torch.dtype, torch.device, torch.Size),
)
# Machinery: it has a state, but none that training computes with.
_MACHINERY = (
    "abc ast asyncio codecs concurrent contextvars ctypes dis email encodings gc http importlib inspect linecache "
    "logging multiprocessing os pdb pkgutil posix re select selectors signal socket ssl subprocess sys tempfile "
    "threading tokenize traceback typing unittest warnings weakref zipimport _abc _asyncio _contextvars "
    "_frozen_importlib _frozen_importlib_external _sre _thread"
)
_KEPT = ("local", "_local", "WeakKeyDictionary", "WeakValueDictionary", "WeakSet")


def is_value(value: Any) -> bool:
    """Whether a thing is one value, compared as a whole: a number, a tensor, an array, a date, a set."""
    return isinstance(value, _VALUES) or type(value).__module__ == "numpy"


def is_foreign(value: Any) -> bool:
    """Whether a thing belongs to python or to a library and holds no state of the run."""
    if isinstance(value, ModuleType):
        return True
    if isinstance(value, type):
        return not is_project_module(value.__module__)
    kind = type(value)
    return kind.__module__.split(".")[0] in _MACHINERY.split() and kind.__name__ not in _KEPT


@functools.cache
def is_project_module(name: str | None) -> bool:
    """Whether a module is the project's own: neither python's nor installed among the libraries."""
    if name is None or name.split(".")[0] in (*sys.stdlib_module_names, "torch", "pytest_ckpt"):
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or not file.startswith(LIBRARY_FOLDERS)


LIBRARY_FOLDERS = tuple({sysconfig.get_paths()[key] for key in ("purelib", "platlib", "stdlib")})

"""``cloudpickle``, which also pickles local functions and classes."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from types import SimpleNamespace

import cloudpickle

from pytest_ckpt.formats.pickles import pickle_formats
from pytest_ckpt.formats.protocol import Format

__all__ = ["FORMATS"]

# The package itself has no Unpickler; what it writes is read by the standard library.
_MODULE = SimpleNamespace(
    __name__="cloudpickle",
    Pickler=cloudpickle.Pickler,
    Unpickler=pickle.Unpickler,
    dump=cloudpickle.dump,
    load=pickle.load,
)

FORMATS: Mapping[str, Format] = pickle_formats("cloudpickle", _MODULE)

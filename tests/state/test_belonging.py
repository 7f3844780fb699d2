"""What is a value, what is the project's, and what is machinery."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import logging
import pathlib
import sys
import threading
import uuid
import weakref
from array import array
from concurrent.futures import Future
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from pytest_ckpt.state.belonging import is_foreign, is_project_module, is_value


class Own:
    """A class of the project."""


class Colour(enum.Enum):
    RED = 1


VALUES: tuple[Any, ...] = (
    *(True, 1, 1.5, 1j, "a", b"a", bytearray(b"a"), None, range(2), slice(1), {1}, frozenset(), array("i")),
    *(decimal.Decimal(1), Fraction(1), Colour.RED, uuid.UUID(int=1), pathlib.Path("a")),
    *(datetime.date(2020, 1, 1), datetime.time(1), datetime.timedelta(1), datetime.UTC),
    *(torch.ones(1), torch.float32, torch.device("cpu"), torch.Size([1])),
    *(np.ones(1), np.float32(1)),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_compared_as_a_whole(value: Any) -> None:
    assert is_value(value)


@pytest.mark.parametrize(
    "value", [[1], (1,), {"a": 1}, Own(), Own, torch.nn.Identity()], ids=lambda it: type(it).__name__
)
def test_what_holds_something_is_no_value(value: Any) -> None:
    assert not is_value(value)


@pytest.mark.parametrize(
    "value",
    [json, int, torch.nn.Linear, logging.getLogger(), threading.Lock(), weakref.ref(Own), Future()],
    ids=lambda value: type(value).__name__,
)
def test_machinery_is_foreign(value: Any) -> None:
    assert is_foreign(value)


@pytest.mark.parametrize(
    "value",
    [Own, Own(), threading.local(), weakref.WeakValueDictionary(), weakref.WeakKeyDictionary(), weakref.WeakSet()],
    ids=lambda value: type(value).__name__,
)
def test_what_may_hold_state_of_the_run_is_not_foreign(value: Any) -> None:
    assert not is_foreign(value)


def test_a_module_is_the_projects_own_unless_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = ModuleType("made_up.part")
    monkeypatch.setitem(sys.modules, "made_up.part", made_up)

    assert is_project_module(__name__)
    assert is_project_module("made_up.part"), "a module without a file"
    for name in (None, "json", "json.decoder", "torch.nn", "numpy.random", "pytest_ckpt.state", "pytest"):
        assert not is_project_module(name), name

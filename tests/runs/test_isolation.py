"""Checks leave no trace."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import _get_current_function_mode_stack

from pytest_ckpt.comparison import compare
from pytest_ckpt.runs import isolated
from pytest_ckpt.state import get_random_state

# What is global: how it is read, and how the code under test may change it.
GLOBALS: dict[str, tuple[Callable[[], Any], Callable[[], object]]] = {
    "python": (lambda: str(random.getstate()), lambda: random.seed(5)),
    "numpy": (lambda: str(np.random.get_state()), lambda: np.random.seed(5)),
    "torch": (lambda: torch.get_rng_state().tolist(), lambda: torch.manual_seed(5)),
    "dtype": (torch.get_default_dtype, lambda: torch.set_default_dtype(torch.float64)),
    "device": (torch.get_default_device, lambda: torch.set_default_device("meta")),
    "function modes": (_get_current_function_mode_stack, lambda: torch.set_default_device("meta")),
    "deterministic": (
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    ),
    "threads": (torch.get_num_threads, lambda: torch.set_num_threads(3)),
    "new variable": (lambda: dict(os.environ), lambda: os.environ.update(CKPT_NEW="1")),
    "lost variable": (lambda: dict(os.environ), lambda: os.environ.pop("CKPT_KEPT")),
    "directory": (os.getcwd, lambda: os.chdir("below")),
    "warnings": (lambda: list(warnings.filters), lambda: warnings.simplefilter("always")),
    "grad": (torch.is_grad_enabled, lambda: torch.set_grad_enabled(False)),
    "cudnn": (
        lambda: (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        lambda: _set_cudnn(True, True),
    ),
}


def _set_cudnn(deterministic: bool, benchmark: bool) -> None:
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = deterministic, benchmark


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CKPT_KEPT", "1")
    threads = torch.get_num_threads()
    torch.use_deterministic_algorithms(False)  # whatever a test before this one left behind
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("raises", [False, True], ids=["returns", "raises"])
@pytest.mark.parametrize("name", GLOBALS)
def test_what_is_global_is_as_before(name: str, raises: bool) -> None:
    read, change = GLOBALS[name]
    before = read()

    try:
        with isolated():
            inside = read()
            change()
            assert read() != inside
            if raises:
                raise KeyError("in the code under test")
    except KeyError:
        assert raises

    assert read() == before


def test_nothing_is_restored_too_early() -> None:
    """Everything at once, as a real program changes it."""
    before = {name: read() for name, (read, _) in GLOBALS.items()}
    state = get_random_state()

    with isolated():
        for _, change in GLOBALS.values():
            change()

    assert {name: read() for name, (read, _) in GLOBALS.items()} == before
    assert not compare(state, get_random_state())


def test_the_body_runs_on_one_thread_with_gradients_and_without_warnings() -> None:
    torch.set_num_threads(2)

    with torch.no_grad(), isolated():
        assert torch.get_num_threads() == 1
        assert torch.is_grad_enabled()
        warnings.warn("not shown, not raised", stacklevel=1)

    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("change", [None, "cpu", "meta"])
@pytest.mark.parametrize("outer", ["none", "global", "context"])
def test_a_default_device_of_the_user_is_kept(outer: str, change: str | None) -> None:
    with contextlib.ExitStack() as stack:
        if outer == "global":
            torch.set_default_device("meta")
            stack.callback(torch.set_default_device, None)
        elif outer == "context":
            stack.enter_context(torch.device("meta"))
        modes = len(_get_current_function_mode_stack())

        with isolated():
            if change is not None:
                torch.set_default_device(change)

        assert torch.get_default_device().type == ("cpu" if outer == "none" else "meta")
        assert len(_get_current_function_mode_stack()) == modes
    assert _get_current_function_mode_stack() == []


def test_isolation_nests() -> None:
    torch.set_num_threads(2)
    with isolated():
        state = get_random_state()
        with isolated():
            torch.rand(3)
        assert not compare(state, get_random_state())
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_flags_that_torch_has_frozen_are_left_alone() -> None:
    """``torch.testing._internal.common_utils`` freezes them for good in the process that imports it."""
    script = """
import torch
from pytest_ckpt.runs import isolated
torch.backends.disable_global_flags()
with isolated():
    pass
"""

    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("encoded", [True, False])
def test_an_environment_without_its_inner_mapping_is_restored_too(
    encoded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not encoded:
        monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ["CKPT_KEPT"] = "\udcff="  # a byte that no text has

    before = dict(os.environ)
    with isolated():
        del os.environ["CKPT_KEPT"]
        os.environ["CKPT_NEW"] = "1"

    assert dict(os.environ) == before


def test_all_but_the_directory_is_restored_when_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    state = get_random_state()

    def remove_it() -> None:
        with isolated():
            torch.set_default_dtype(torch.float64)
            torch.manual_seed(5)
            os.chdir(tmp_path)
            gone.rmdir()

    with pytest.raises(FileNotFoundError):
        remove_it()

    assert torch.get_default_dtype() is torch.float32
    assert not compare(state, get_random_state())

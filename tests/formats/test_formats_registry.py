"""Names to formats: what is listed, what is said when there is none, and what listing costs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib import import_module

import pytest

from pytest_ckpt.errors import MissingDependencyError, UsageError
from pytest_ckpt.formats import (
    BUILTIN_FORMATS,
    Format,
    format_names,
    get_format,
    register_formats,
)


def another(name: str) -> Format:
    return replace(get_format("pickle"), name=name)


def test_listing_formats_imports_neither_torch_nor_numpy() -> None:
    code = """
import sys
from pytest_ckpt.formats import format_names, get_format
assert "dcp" in format_names()
print(sorted({"torch", "numpy", "dill", "cloudpickle", "safetensors"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("safetensor", "Did you mean 'safetensors'?"),
        ("picle-4", "Did you mean 'pickle-4' or 'pickle-5' or 'pickle-3'?"),
        ("hdf5", f"Known formats: {', '.join(BUILTIN_FORMATS)}."),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_format(name)

    assert str(caught.value) == (
        f"There is no checkpoint format {name!r}. {hint} Add your own with the pytest_ckpt_formats hook."
    )


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("dill", "dill"),
        ("dill-whole", "dill"),
        ("torch+dill-3", "dill"),
        ("cloudpickle-4", "cloudpickle"),
        ("safetensors", "safetensors"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_format(name)  # so that taking it away is undone in the same state
    monkeypatch.delitem(sys.modules, BUILTIN_FORMATS[name].module)
    for module in [module for module in sys.modules if module.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingDependencyError) as caught:
        get_format(name)

    assert str(caught.value) == f"The format {name!r} needs {package}: pip install {package}"


def test_a_package_that_is_there_but_broken_speaks_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    get_format("safetensors")
    monkeypatch.delitem(sys.modules, BUILTIN_FORMATS["safetensors"].module)
    monkeypatch.setitem(sys.modules, "pytest_ckpt.formats.packing", None)

    with pytest.raises(ModuleNotFoundError, match="packing"):
        get_format("safetensors")


def test_every_entry_has_exactly_the_formats_of_its_module() -> None:
    there = {name for entry in BUILTIN_FORMATS.values() for name in import_module(entry.module).FORMATS}

    assert there == set(BUILTIN_FORMATS)


@pytest.mark.parametrize("as_mapping", [False, True])
def test_registered_formats_are_found_until_they_are_taken_back(as_mapping: bool) -> None:
    mine = another("mine")
    unregister = register_formats({"mine": mine} if as_mapping else [mine])
    try:
        assert format_names() == (*BUILTIN_FORMATS, "mine")
        assert get_format("mine") is mine
    finally:
        unregister()

    assert format_names() == tuple(BUILTIN_FORMATS)
    with pytest.raises(UsageError):
        get_format("mine")


@pytest.mark.parametrize("names", [["mine", "torch"], ["mine", "mine"]])
def test_a_name_that_is_taken_is_an_error_and_nothing_is_registered(names: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        register_formats(map(another, names))

    assert str(caught.value) == (f"There is a checkpoint format {names[-1]!r} already. Give yours another name.")
    assert format_names() == tuple(BUILTIN_FORMATS)


def test_a_format_that_is_registered_is_taken_too() -> None:
    unregister = register_formats([another("mine")])
    try:
        with pytest.raises(UsageError, match="There is a checkpoint format 'mine' already"):
            register_formats([another("mine")])
    finally:
        unregister()


def test_a_format_has_one_name() -> None:
    with pytest.raises(UsageError) as caught:
        register_formats({"yours": another("mine")})

    assert str(caught.value) == "The checkpoint format 'mine' is listed as 'yours'. Use one name."

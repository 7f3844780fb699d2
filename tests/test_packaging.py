"""What an installed package promises: its names, its version, its entry point, its dependencies."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest

import pytest_ckpt
from pytest_ckpt.cli import main
from pytest_ckpt.formats.registry import BUILTIN_FORMATS

PACKAGE = Path(pytest_ckpt.__file__).parent
PROJECT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
PUBLIC = [name for name in pytest_ckpt.__all__ if not name.startswith("__")]


def mirrored_names() -> dict[str, tuple[str, str]]:
    """Return the names imported under TYPE_CHECKING in the root, each with its module and its name there."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {
        alias.asname or alias.name: (statement.module or "", alias.name)
        for block in blocks
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("pytest_ckpt.")
        for alias in statement.names
    }


def public_functions() -> Iterator[tuple[str, Any]]:
    """Yield everything a user can call: public names and the public methods of public classes."""
    for name in PUBLIC:
        found = getattr(pytest_ckpt, name)
        yield name, found
        if inspect.isclass(found):
            for key, value in vars(found).items():
                method = getattr(value, "__func__", getattr(value, "fget", value))
                if not key.startswith("_") and inspect.isfunction(method):
                    yield f"{name}.{key}", method


def distribution_name(requirement: str) -> str:
    matched = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert matched, requirement
    return re.sub(r"[-_.]+", "-", matched[0]).lower()


def test_all_is_sorted_and_holds_the_public_names() -> None:
    assert pytest_ckpt.__all__ == sorted(pytest_ckpt.__all__)
    assert set(PUBLIC) == {
        "CheckpointFailure",
        "CkptError",
        "Injection",
        "MissingDependencyError",
        "Outcome",
        "Outcomes",
        "SelfTest",
        "TrainingRun",
        "UsageError",
        "capture",
        "check_training_run",
        "check_warm_start",
        "compare",
        "module_run",
        "optimizer_run",
        "parametrize_with_checks",
        "scheduler_run",
        "selftest",
    }


def test_dir_lists_the_public_names() -> None:
    assert set(PUBLIC) <= set(dir(pytest_ckpt))


def test_an_unknown_name_is_an_attribute_error() -> None:
    name = "no_such_name"

    with pytest.raises(AttributeError, match=r"pytest_ckpt.*has no attribute 'no_such_name'"):
        getattr(pytest_ckpt, name)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_the_object_the_type_checker_sees(name: str) -> None:
    module, name_there = mirrored_names()[name]

    assert name_there == name
    assert getattr(pytest_ckpt, name) is getattr(import_module(module), name)


def test_the_type_checker_sees_exactly_what_is_loaded_lazily() -> None:
    homes = {name: module for name, (module, _) in mirrored_names().items()}

    assert homes == pytest_ckpt._HOMES
    assert set(homes) == set(PUBLIC)


def test_no_public_name_is_a_submodule() -> None:
    """Importing the submodule would put the module in the place of the name."""
    submodules = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}

    assert {"errors", "plugin"} <= submodules
    assert submodules.isdisjoint(PUBLIC)


def test_public_names_are_documented() -> None:
    functions = dict(public_functions())
    docs = {name: (inspect.getdoc(found) or "") for name, found in functions.items()}
    # A dataclass without a docstring is given its signature as one.
    undocumented = [name for name, doc in docs.items() if not doc or doc.startswith(f"{name}(")]
    no_sentence = [name for name, doc in docs.items() if doc and not doc.splitlines()[0].endswith((".", "?"))]

    assert functions.keys() >= set(PUBLIC)
    assert undocumented == []
    assert no_sentence == []


def test_the_installed_version_is_that_of_the_code() -> None:
    """After raising the version: install again, as `make` does, or pip names the old one."""
    assert metadata.version("pytest-ckpt") == pytest_ckpt.__version__


def test_the_type_information_is_packaged() -> None:
    assert (PACKAGE / "py.typed").read_bytes() == b""


def test_pytest_loads_the_plugin_by_its_entry_point(pytestconfig: pytest.Config) -> None:
    (entry_point,) = metadata.entry_points(group="pytest11", name="ckpt")

    assert pytestconfig.pluginmanager.get_plugin("ckpt") is entry_point.load()


def test_the_command_is_the_main_function_of_the_cli() -> None:
    assert PYPROJECT["project"]["scripts"] == {"pytest-ckpt": "pytest_ckpt.cli:main"}
    assert metadata.EntryPoint("pytest-ckpt", "pytest_ckpt.cli:main", "console_scripts").load() is main


def test_every_builtin_format_can_be_installed_with_an_extra() -> None:
    required = {distribution_name(line) for line in PYPROJECT["project"]["dependencies"]}
    extras = PYPROJECT["project"]["optional-dependencies"]
    installs = {distribution_name(entry.install) for entry in BUILTIN_FORMATS.values()}

    assert "torch" in installs
    assert installs - required <= extras.keys()
    assert extras["all"] == [f"pytest-ckpt[{','.join(sorted(extras.keys() - {'all'}))}]"]


def test_every_dependency_is_pinned_for_development() -> None:
    project, groups = PYPROJECT["project"], PYPROJECT["dependency-groups"]
    asked = [
        *project["dependencies"],
        *groups["test"],
        *groups["lint"],
        *groups["mutation"],
        *groups["rivals"],
        *PYPROJECT["build-system"]["requires"],
    ]
    for name, requirements in project["optional-dependencies"].items():
        asked += requirements if name != "all" else []
    lines = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {distribution_name(line) for line in lines if "==" in line}

    assert {distribution_name(line) for line in asked} - pinned == set()

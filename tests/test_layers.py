"""The direction of imports, what start-up loads, and the size of files: rules that reviews forget."""

# Longer than 250 lines because what finds the imports is proven on made-up packages next to its use.

from __future__ import annotations

import ast
import enum
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import pytest_ckpt

ROOT = "pytest_ckpt"
PACKAGE = Path(pytest_ckpt.__file__).parent

# A module imports its own layer and those below. The root is above all: it only hands names out, lazily.
LAYERS = {
    "errors": 0,
    "paths": 0,
    "state": 1,
    "comparison": 2,
    "editing": 2,
    "formats": 2,
    "inspection": 2,
    "overwriting": 6,
    "relocation": 6,
    "integrations": 3,
    "runs": 3,
    "devices": 4,
    "launchers": 4,
    "faults": 5,
    "fresh_party": 6,
    "fresh_pictures": 6,
    "fresh_predictions": 6,
    "fresh_resume": 6,
    "fresh_tasks": 6,
    "generations": 5,
    "second_resume": 6,
    "spine": 5,
    "trips": 5,
    "diagnosis": 6,
    "edited_loads": 6,
    "check_settings": 7,
    "checks": 7,
    "expectations": 7,
    "golden": 7,
    "strategies": 8,
    "packages": 8,
    "reporting": 8,
    "running": 8,
    "subjects": 8,
    "warm_start": 8,
    "__main__": 9,
    "self_testing": 8,
    "cli": 9,
    "plugin": 9,
}
ROOT_LAYER = 10

# What pytest and the command line load before they know whether a checkpoint will be tested at all.
START_UP = (
    "pytest_ckpt",
    "pytest_ckpt.__main__",
    "pytest_ckpt.cli",
    "pytest_ckpt.errors",
    "pytest_ckpt.formats.registry",
    "pytest_ckpt.plugin",
)
HEAVY = {"hypothesis", "numpy", "torch"}

MAX_LINES = 250
EXCUSE = re.compile(r"^# Longer than 250 lines because \w+", re.MULTILINE)


class When(enum.Enum):
    """What it takes for an import to happen."""

    AT_ONCE = enum.auto()  # importing the file is enough
    IN_A_CALL = enum.auto()
    BY_NAME = enum.auto()  # the file only names the module, in a string


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """One imported module."""

    target: str
    line: int
    when: When

    @property
    def package(self) -> str:
        return self.target.split(".")[0]


@dataclass(kw_only=True, slots=True)
class ImportFinder(ast.NodeVisitor):
    """Collects what a module imports; what stands under TYPE_CHECKING never runs and is left out."""

    module: str
    is_package: bool
    known: frozenset[str]
    found: list[Import] = field(default_factory=list)
    depth: int = 0

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            keep = len(self.module.split(".")) - node.level + self.is_package
            base = ".".join([*self.module.split(".")[:keep], *filter(None, [node.module])])
        submodules = {f"{base}.{alias.name}" for alias in node.names}
        for target in sorted((submodules & self.known) | ({base} if submodules - self.known else set())):
            self.add(target, node)

    def visit_Constant(self, node: ast.Constant) -> None:
        # A module named in a string is imported all the same: a table of formats, pytest_plugins.
        if isinstance(node.value, str) and node.value.startswith(f"{ROOT}.") and node.value in self.known:
            self.found.append(Import(target=node.value, line=node.lineno, when=When.BY_NAME))

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_Lambda = visit_FunctionDef

    def add(self, target: str, node: ast.stmt) -> None:
        when = When.IN_A_CALL if self.depth else When.AT_ONCE
        self.found.append(Import(target=target, line=node.lineno, when=when))


def modules_below(package: Path) -> dict[str, Path]:
    """Return the dotted name and the file of every module, packages as their ``__init__.py``."""
    names = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        names[".".join([ROOT, *(parts[:-1] if parts[-1] == "__init__" else parts)])] = file
    return names


def imports_of(module: str, file: Path, known: frozenset[str]) -> list[Import]:
    finder = ImportFinder(module=module, is_package=file.name == "__init__.py", known=known)
    finder.visit(ast.parse(file.read_text(encoding="utf-8"), filename=str(file)))
    return finder.found


MODULES = modules_below(PACKAGE)
IMPORTS = {name: imports_of(name, file, frozenset(MODULES)) for name, file in MODULES.items()}


def layer_of(module: str) -> int:
    return ROOT_LAYER if module == ROOT else LAYERS[module.split(".")[1]]


def upward_imports(imports: dict[str, list[Import]]) -> Iterator[str]:
    for module, found in imports.items():
        for item in found:
            if item.package == ROOT and layer_of(item.target) > layer_of(module):
                layers = f"layer {layer_of(item.target)} from layer {layer_of(module)}"
                yield f"{module}:{item.line} imports {item.target}, {layers}"


def loaded_by(start: tuple[str, ...], imports: dict[str, list[Import]]) -> dict[str, str]:
    """Return every module of ours that importing ``start`` runs, with the module that asked for it."""
    reached: dict[str, str] = {}
    waiting = [(name, "start-up") for name in start if name in imports]
    while waiting:
        module, why = waiting.pop()
        parents = [".".join(module.split(".")[:n]) for n in range(1, module.count(".") + 2)]
        for name in parents:
            if name in imports and name not in reached:
                reached[name] = why
                waiting += [
                    (item.target, name)
                    for item in imports[name]
                    if item.when is When.AT_ONCE and item.target in imports
                ]
    return reached


def heavy_imports(start: tuple[str, ...], imports: dict[str, list[Import]]) -> Iterator[str]:
    for module, why in loaded_by(start, imports).items():
        for item in imports[module]:
            if item.when is When.AT_ONCE and item.package in HEAVY:
                yield f"{module}:{item.line} imports {item.target} (loaded by {why})"


def start_up_modules() -> tuple[str, ...]:
    """Return START_UP and what the entry point names in ``pytest_plugins``: pytest imports that too."""
    named = (item.target for item in IMPORTS[f"{ROOT}.plugin"] if item.when is When.BY_NAME)
    return (*START_UP, *named)


def test_every_module_has_a_layer() -> None:
    layered = {name.split(".")[1] for name in MODULES if name != ROOT}

    assert {"errors", "checks", "formats", "plugin", "runs", "spine", "state"} <= layered
    assert layered <= LAYERS.keys(), "add the new module to LAYERS and to the table of CONTRIBUTING.md"


def test_no_module_imports_a_layer_above_its_own() -> None:
    assert list(upward_imports(IMPORTS)) == []


def test_modules_do_import_each_other() -> None:
    """Guards the two tests around it: a finder that finds nothing would let everything pass."""
    ours = [item for found in IMPORTS.values() for item in found if item.package == ROOT]

    assert len(ours) > len(MODULES) / 2


def test_start_up_imports_nothing_heavy() -> None:
    assert list(heavy_imports(start_up_modules(), IMPORTS)) == []


def test_no_hook_module_imports_anything_heavy_itself() -> None:
    """Fixture bodies import their object on first use; the module around them stays light."""
    hook_modules = [name for name in MODULES if name.startswith(f"{ROOT}.plugin")]
    direct = [
        f"{name}:{item.line} imports {item.target}"
        for name in hook_modules
        for item in IMPORTS[name]
        if item.when is When.AT_ONCE and item.package in HEAVY
    ]

    assert hook_modules
    assert direct == []


@pytest.mark.parametrize("module", START_UP)
def test_importing_what_starts_leaves_heavy_packages_alone(module: str) -> None:
    code = (
        "import importlib, sys\n"
        f"found = importlib.import_module({module!r})\n"
        "for name in getattr(found, 'pytest_plugins', ()): importlib.import_module(name)\n"
        f"print(sorted({HEAVY!r} & sys.modules.keys()), 'pytest_ckpt' in sys.modules)\n"
    )

    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)

    assert result.stderr == ""
    assert result.stdout == "[] True\n"


def test_a_pytest_run_without_checkpoints_loads_nothing_heavy(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a user's own, torch-free tests see it; other plugins may import what they like, so they are out."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(f"import sys\ndef test_it():\n    assert {HEAVY!r} & sys.modules.keys() == set()")

    result = pytester.runpytest_subprocess("-p", "pytest_ckpt.plugin")

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("module", MODULES)
def test_a_long_file_says_why(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8")
    lines, excused = text.count("\n"), bool(EXCUSE.search(text))

    assert lines <= MAX_LINES or excused, "split it, or say '# Longer than 250 lines because ...' at its top"


@pytest.mark.parametrize(
    "source",
    [
        "import pytest_ckpt.plugin",
        "from pytest_ckpt import plugin",
        "from pytest_ckpt.plugin import options",
        "from .. import plugin",
        "from ..plugin.options import name",
        "def function():\n    from pytest_ckpt.plugin.options import name",
        "TABLE = {'options': 'pytest_ckpt.plugin.options'}",
        "from pytest_ckpt import TrainingRun",
    ],
)
def test_upward_imports_are_seen_in_every_spelling(source: str, tmp_path: Path) -> None:
    imports = imports_in_a_package(tmp_path, {"state/tree.py": source})

    assert [line.split(" ")[0].split(":")[0] for line in upward_imports(imports)] == ["pytest_ckpt.state.tree"]


def test_imports_for_the_type_checker_may_point_upward(tmp_path: Path) -> None:
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pytest_ckpt.plugin\n"

    assert list(upward_imports(imports_in_a_package(tmp_path, {"state/tree.py": source}))) == []


def test_a_heavy_import_is_seen_through_other_modules(tmp_path: Path) -> None:
    files = {
        "plugin/options.py": "from ..state.tree import Tree",
        "state/tree.py": "try:\n    import torch.nn\nexcept ImportError:\n    raise",
    }

    found = list(heavy_imports(("pytest_ckpt.plugin.options",), imports_in_a_package(tmp_path, files)))

    assert found == ["pytest_ckpt.state.tree:2 imports torch.nn (loaded by pytest_ckpt.plugin.options)"]


def test_a_heavy_import_inside_a_function_is_not_start_up(tmp_path: Path) -> None:
    files = {"plugin/options.py": "def ckpt():\n    import torch\n    from pytest_ckpt.state import tree"}

    assert list(heavy_imports(("pytest_ckpt.plugin.options",), imports_in_a_package(tmp_path, files))) == []


def imports_in_a_package(directory: Path, files: dict[str, str]) -> dict[str, list[Import]]:
    """Write a small package of the same name and return what its modules import."""
    skeleton = dict.fromkeys(["__init__.py", "plugin/__init__.py", "plugin/options.py", "state/__init__.py"], "")
    for name, source in {**skeleton, **files}.items():
        file = directory / ROOT / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    modules = modules_below(directory / ROOT)
    return {name: imports_of(name, file, frozenset(modules)) for name, file in modules.items()}

"""``--ckpt-package``: what a user sees in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points

import pytest
from package_writing import MakePackage, package_maker

import pytest_ckpt.packages  # noqa: F401  What is imported here, no inner run imports again.

# A checkout that is not installed can be tested, too.
_INSTALLED = any(entry.value == "pytest_ckpt.plugin" for entry in entry_points(group="pytest11"))
_OPTIONS = (
    *(() if _INSTALLED else ("-p", "pytest_ckpt.plugin")),
    *("-p", "no:randomly"),
    *("-p", "no:hypothesispytest"),  # It would import hypothesis anew at the end of each run.
    *("-W", "error", "--strict-markers"),
)

SOURCE = """
import abc
import warnings
import torch

warnings.warn("an old package says this")
print("hello")

class Good(torch.nn.Linear):
    def __init__(self, dim):
        super().__init__(dim, dim)

class Counting(torch.nn.Linear):
    def __init__(self, dim):
        super().__init__(dim, dim)
        self.calls = 0

    def forward(self, x):
        self.calls += self.training
        return super().forward(x) / (1 + self.calls)

class Double(torch.nn.Module):
    def forward(self, x):
        return 2 * x

class Base(torch.nn.Module):
    pass

class Odd(Good):
    def __init__(self, frobnicator):
        super().__init__(8)
"""


@pytest.fixture
def make_package(pytester: pytest.Pytester) -> Iterator[MakePackage]:
    with package_maker(pytester.path) as make:  # the working directory, which a worker of xdist knows as well
        yield make


@pytest.fixture
def run(pytester: pytest.Pytester, make_package: MakePackage) -> Callable[..., pytest.RunResult]:
    make_package(SOURCE, broken="import no_such_package")
    return lambda *arguments: pytester.runpytest(*_OPTIONS, *arguments)


def test_a_package_is_checked_without_a_test_file(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--ckpt-package=made_up", "--ckpt-steps=2", "-rs")

    result.assert_outcomes(passed=1, failed=1, skipped=4)
    result.stdout.fnmatch_lines(["pytest-ckpt: package made_up; steps 2"])
    result.stdout.fnmatch_lines(
        [
            "*checkpoints of made_up*",
            "5 found, 3 checked: 1 passed, 1 failed, 1 vacuous, 0 undecidable; 2 not built.",
            "    1 not built: abstract: Base",
            "    1 not built: no arguments known: Odd",
            "    1 not read: cannot be imported: broken",
        ],
        consecutive=True,
    )
    result.stdout.fnmatch_lines(
        [
            "SKIPPED [[]1[]] *: broken: not read: cannot be imported: ModuleNotFoundError: No module named 'no_such*",
            "SKIPPED [[]1[]] *__init__.py:*: Base: not built: abstract: it has no forward()",
            "SKIPPED [[]1[]] *__init__.py:*: Double: vacuous: neither training nor another seed changes any state *",
            "SKIPPED [[]1[]] *__init__.py:*: Odd: not built: no arguments known: no value is known for its *",
        ],
    )


def test_a_failure_says_how_the_class_was_built_and_what_it_lost(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--ckpt-package=made_up", "--ckpt-steps=2", "--ckpt-select=resume", "-k", "Counting")

    result.assert_outcomes(failed=1, deselected=5)
    result.stdout.fnmatch_lines(
        [
            "*_ Counting of made_up _*",
            "Built as Counting(dim=8), called with x=floats (2, 6, 8).",
            "",
            "The resumed run is not the run that never stopped: saved after 1 step, they part at step(1).",
            "output: value differs",
            "    uninterrupted: *",
            "    resumed: *",
            "To blame: model.calls (restoring it alone makes the runs agree).",
            "    model.calls: saved 1, loaded 0",
            "No state dict holds model.calls: register it as a buffer, *",
        ],
        consecutive=True,
    )


def test_classes_are_tests_with_ids(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--ckpt-package=made_up", "--collect-only", "-q")

    names = ["broken", "Base", "Counting", "Double", "Good", "Odd"]
    result.stdout.fnmatch_lines([f"made_up::{name}" for name in names], consecutive=True)


def test_formats_and_steps_hold_for_the_classes(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--ckpt-package=made_up", "-k", "Good", "--ckpt-format=pickle,torch", "--ckpt-steps=1", "-rA")

    result.assert_outcomes(passed=1, deselected=5)


@pytest.mark.parametrize("workers", [0, 1])
def test_packages_are_checked_beside_tests_and_runs(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult], workers: int
) -> None:
    pytester.makepyfile("def test_other(): pass")
    pytester.makepyfile(train="import torch\ndef make_run(): return torch.nn.Linear(2, 1)")
    pytester.makeini("[pytest]\nckpt_package = made_up\n")

    result = run("--ckpt-run=train:make_run", "--ckpt-select=state_is_restored", "-k", "not Odd", f"-n{workers}")

    result.assert_outcomes(passed=4, skipped=3, deselected=0 if workers else 1)
    result.stdout.fnmatch_lines(["4 found, 3 checked: 2 passed, 0 failed, 1 vacuous, 0 undecidable; 1 not built."])


def test_nothing_is_imported_unless_it_is_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\n"
        "def test_it():\n"
        "    assert not [name for name in sys.modules if name.startswith(('pytest_ckpt.packages', 'torch.nn'))]\n"
        "    assert 'pytest_ckpt.plugin.package_items' not in sys.modules\n"
    )

    result = pytester.runpytest_subprocess("-p", "no:torch", *_OPTIONS)

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--ckpt-package=made-up", "Did you mean 'made_up'? Install it first."),
        ("--ckpt-package=no_such_x.layers", "Install it first."),
    ],
)
def test_wrong_package_is_a_usage_error(run: Callable[..., pytest.RunResult], option: str, message: str) -> None:
    result = run(option)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {option}: no package of that name can be imported. {message}"])


def test_wrong_name_of_a_subpackage_is_said(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--ckpt-package=made_up.layers")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["--ckpt-package=made_up.layers: no package of that name can be imported. *"])


def test_wrong_name_of_a_check_is_a_usage_error(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--ckpt-package=made_up", "--ckpt-select=resumes")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: No check is called 'resumes'. *"])


def test_a_package_that_cannot_be_imported_shows_its_own_error(
    pytester: pytest.Pytester, make_package: MakePackage
) -> None:
    make_package("import no_such_package")

    result = pytester.runpytest(*_OPTIONS, "--ckpt-package=made_up")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E   ModuleNotFoundError: No module named 'no_such_package'"])

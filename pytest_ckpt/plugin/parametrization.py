"""``parametrize_with_checks()``: one test per check, and format, and device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ckpt.errors import CkptError, UsageError
from pytest_ckpt.plugin.recording import recorder

if TYPE_CHECKING:
    from pytest_ckpt.plugin.check_group import CheckCall

__all__ = ["parametrize_with_checks"]

_MARK = "parametrize_with_checks"


def parametrize_with_checks(
    make_run: Callable[..., Any],
    *,
    steps: int | None = None,
    at: Iterable[int] | None = None,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
    formats: Iterable[str] | None = None,
    devices: Iterable[str] | None = None,
    expected_failures: Mapping[str, Any] | None = None,
) -> pytest.MarkDecorator:
    """Make one test per check, format and device of a test function with a parameter ``check`` that it calls.

    ``check()`` raises :class:`~pytest_ckpt.CheckpointFailure` if the check fails. An outcome that is vacuous,
    undecidable or skipped skips the test, and an expected failure makes it xfail.

    The options are those of :func:`~pytest_ckpt.check_training_run`. What is not given comes from
    ``@pytest.mark.ckpt``, from the command line, from the check's table in ``pyproject.toml`` or from the ini
    file. ``make_run`` is not called before the first of the tests runs.
    """
    options = {
        "steps": steps,
        "at": at,
        "select": select,
        "ignore": ignore,
        "formats": formats,
        "devices": devices,
        "expected_failures": expected_failures,
    }
    # with_args: called with a function alone, a mark would take that for the test.
    mark: pytest.MarkDecorator = getattr(pytest.mark, _MARK)
    return mark.with_args(make_run, **options)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{_MARK}(make_run, **options): use the decorator of that name instead")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker(_MARK)
    if mark is None:
        return
    try:
        calls = _calls(metafunc.definition, mark)
    except CkptError as error:
        raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: {error}") from None
    metafunc.parametrize("check", list(calls.values()), ids=list(calls))


def _calls(definition: pytest.Function, mark: pytest.Mark) -> dict[str, CheckCall]:
    if sum(own.name == _MARK for own in definition.own_markers) > 1:
        raise UsageError("parametrize_with_checks was applied twice; write one test function for each run.")
    from pytest_ckpt.plugin.check_group import check_calls
    from pytest_ckpt.plugin.settings import settings_of

    return check_calls(mark.args[0], settings_of(definition, **mark.kwargs), definition.config)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    if pyfuncitem.get_closest_marker(_MARK) is not None and "check" in pyfuncitem.funcargs:
        check: Any = pyfuncitem.funcargs["check"]
        pyfuncitem.funcargs["check"] = check.recorded_by(recorder(pyfuncitem))

"""The fixtures. Each imports what it needs when a test asks for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ckpt.errors import CkptError, MissingDependencyError
from pytest_ckpt.plugin.recording import recorder

if TYPE_CHECKING:
    from pytest_ckpt.golden.guarding import Guarded
    from pytest_ckpt.plugin.ckpt_fixture import CkptFixture

_DEFAULT_FORMATS = ("torch",)


@pytest.fixture
def ckpt(request: pytest.FixtureRequest) -> CkptFixture:
    """Save, load, resume and compare training runs, with the settings of the test."""
    from pytest_ckpt.plugin.check_tables import per_check
    from pytest_ckpt.plugin.ckpt_fixture import CkptFixture
    from pytest_ckpt.plugin.settings import settings_of
    from pytest_ckpt.plugin.verdicts import mismatch_limit

    return CkptFixture(
        settings=settings_of(request.node),
        record=recorder(request.node),
        limit=mismatch_limit(request.config),
        per_check=partial(per_check, request.config),
        guard=partial(_guard, request.node),
    )


def _guard(node: pytest.Item, *arguments: Any) -> Guarded:
    from pytest_ckpt.plugin.golden_calls import guard_of

    return guard_of(node)(*arguments)


@pytest.fixture
def ckpt_format(request: pytest.FixtureRequest) -> str:
    """The name of a checkpoint format; a test runs once for each format that was asked for."""
    from pytest_ckpt.formats import get_format
    from pytest_ckpt.plugin.settings import OWN_FORMAT

    name: str = getattr(request, "param", _DEFAULT_FORMATS[0])
    try:
        if name != OWN_FORMAT:
            get_format(name)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    return name


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "ckpt_format" in metafunc.fixturenames:
        from pytest_ckpt.plugin.settings import settings_of

        try:
            formats = settings_of(metafunc.definition).formats or _DEFAULT_FORMATS
        except CkptError as error:
            raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: {error}") from None
        metafunc.parametrize("ckpt_format", formats, indirect=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("ckpt") is not None:
        from pytest_ckpt.plugin.settings import settings_of

        try:
            settings_of(item)  # A misspelt keyword shows, whatever the test uses.
        except CkptError as error:
            pytest.fail(str(error), pytrace=False)

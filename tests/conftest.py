"""In-process pytester forgets the modules that were first imported inside it, and torch refuses some a second time.

The first ``optimizer.step()`` imports ``torch._dynamo``, which registers C++ libraries: "Only a single
TORCH_LIBRARY can be used to register the namespace". Imported here, it is never forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch._dynamo  # noqa: F401

from pytest_ckpt.checks import registry


@pytest.fixture(autouse=True)
def _in_one_process(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the checks of processes out of the default ones: they take as long as all the others together."""
    # Not the fixture: asked for here, it would put back what a test replaces after all other fixtures are done.
    with pytest.MonkeyPatch.context() as patch:
        if "new_processes" not in request.fixturenames:
            groups = tuple(group for group in registry.DEFAULT_GROUPS if group != "processes")
            patch.setattr(registry, "DEFAULT_GROUPS", groups)
        yield


@pytest.fixture
def new_processes() -> None:
    """For tests whose default checks are those that users have, with the checks of processes."""

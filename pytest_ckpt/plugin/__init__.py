"""What pytest loads. Hooks only translate; the work happens elsewhere.

Each module is a plugin of its own: ``-p no:pytest_ckpt.plugin.terminal`` switches just that one off.
Every module costs each start of pytest some time, so ``zero_code``, ``package_items`` and ``sharing`` come
when they are needed.
"""

from __future__ import annotations

import pytest

_MODULES = ("options", "fixtures", "parametrization", "recording", "terminal")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    # Not a tuple `pytest_plugins`: for each name in one, pytest scans the entry points of everything installed.
    for name in _MODULES:
        pluginmanager.import_plugin(f"{__name__}.{name}")


@pytest.hookimpl(tryfirst=True)  # before the plugin of Hypothesis loads the profile that is asked for
def pytest_configure(config: pytest.Config) -> None:
    profile = config.getoption("--hypothesis-profile", default=None)
    if isinstance(profile, str) and profile.startswith("ckpt-"):
        from pytest_ckpt.strategies.profiles import register_profiles

        register_profiles()

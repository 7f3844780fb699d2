"""Command line, ini file, marker, and formats of others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from pytest_ckpt.errors import UsageError
from pytest_ckpt.plugin.stash import FROM_CONFIG, PACKAGES, RUNS

if TYPE_CHECKING:
    from pytest_ckpt.plugin.settings import Settings

_OPTIONS = {
    "run": ("MODULE:FACTORY", "check the training run that a factory makes, without a test file"),
    "package": ("NAME", "check the module, optimizer and scheduler classes of an installed package"),
    "format": ("NAME", "save and load in this format; 'own' is the run's own save and load"),
    "device": ("NAME", "make runs that take a device on this one, simulated where it is not there"),
    "select": ("NAME", "run these checks: names, groups, globs, 'default' or 'all'"),
    "steps": ("N", "training steps of the uninterrupted run"),
    "at": ("STEP", "save after this many steps, and resume from there"),
    "ignore": ("GLOB", "paths that need not be restored, such as 'rng.*'"),
}
_INI_NAMES = {"run": "ckpt_run", "format": "ckpt_formats", "device": "ckpt_devices"}
_SETTINGS = {"format": "formats", "device": "devices"}
_MARKER = (
    "ckpt(*, steps, at, formats, devices, ignore, select, expected_failures, golden_mode, golden_directory): "
    "settings for the fixtures `ckpt`, "
    "`ckpt_format` and `ckpt_device` and for checks made by `parametrize_with_checks`"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ckpt", "checkpoints of training runs (pytest-ckpt)")
    for name, (metavar, words) in _OPTIONS.items():
        several = "" if name == "steps" else "; may be repeated"
        group.addoption(
            f"--ckpt-{name}",
            action="store" if name == "steps" else "append",
            default=None,
            metavar=metavar,
            help=f"{words[0].upper()}{words[1:]}{several}. ini: {_ini_name(name)}",
        )
        parser.addini(_ini_name(name), f"{words}; --ckpt-{name} wins", type="args", default=None)
    group.addoption(
        "--ckpt-selftest",
        action="store_true",
        help="put bugs into each checked run on purpose, one test for each bug: some check must see it",
    )
    _add_golden_options(group, parser)


def _add_golden_options(group: pytest.OptionGroup, parser: pytest.Parser) -> None:
    words = "write the manifests of the tests with ckpt.golden() that run, unless a change breaks someone unwaived"
    group.addoption("--ckpt-update", action="store_true", help=words)
    words = "keep the checkpoints of the tests with ckpt.golden() that run, under the name of a release"
    group.addoption("--ckpt-keep", metavar="RELEASE", default=None, help=words)
    words = "delete the manifests, with what is kept beside them, that no test has used; only after a whole run"
    group.addoption("--ckpt-prune", action="store_true", help=words)
    words = "whose checkpoints ckpt.golden() judges: none, backward, forward or full, or these with _transitive"
    parser.addini("ckpt_golden_mode", words, default="")
    parser.addini("ckpt_golden_directory", "where ckpt.golden() has its files, seen from the test", default="")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_ckpt.plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(trylast=True)  # so that formats of plugins that others register are there
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    try:
        _register_formats(config)
        if any(_asked_for(config, name) for name in _OPTIONS):
            config.stash[FROM_CONFIG] = _read(config)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[RUNS] = tuple(dict.fromkeys(_asked_for(config, "run", split=False)))
    if config.stash[RUNS]:
        config.pluginmanager.import_plugin("pytest_ckpt.plugin.zero_code")
    config.stash[PACKAGES] = tuple(dict.fromkeys(_asked_for(config, "package")))
    if config.stash[PACKAGES]:
        config.pluginmanager.import_plugin("pytest_ckpt.plugin.package_items")


def _ini_name(name: str) -> str:
    return _INI_NAMES.get(name, f"ckpt_{name}")


def _asked_for(config: pytest.Config, name: str, *, split: bool = True) -> list[str]:
    found = config.getoption(f"ckpt_{name}")
    words = config.getini(_ini_name(name)) or [] if found is None else [found] if isinstance(found, str) else found
    return [part for word in words for part in word.split(",") if part] if split else list(words)


def _read(config: pytest.Config) -> Settings:
    from pytest_ckpt.plugin.settings import Settings, require_formats

    steps = _numbers(config, "steps")
    if len(steps) > 1 or (steps and steps[0] < 1):
        raise UsageError(f"--ckpt-steps={','.join(map(str, steps))}: it is one number of training steps, at least 1.")
    settings = Settings(
        steps=steps[0] if steps else None,
        at=_numbers(config, "at") or None,
        formats=tuple(_asked_for(config, "format")) or None,
        devices=tuple(_asked_for(config, "device")) or None,
        devices_where_taken=True,
        ignore=tuple(_asked_for(config, "ignore", split=False)) or None,
        select=tuple(_asked_for(config, "select")) or None,
        from_ini=frozenset(_SETTINGS.get(name, name) for name in _OPTIONS if config.getoption(f"ckpt_{name}") is None),
    )
    require_formats(settings.formats or ())
    return settings


def _numbers(config: pytest.Config, name: str) -> tuple[int, ...]:
    words = _asked_for(config, name)
    try:
        return tuple(int(word) for word in words)
    except ValueError:
        raise UsageError(f"--ckpt-{name}={','.join(words)}: it is a number of training steps.") from None


def _register_formats(config: pytest.Config) -> None:
    for formats in config.hook.pytest_ckpt_formats(config=config):
        from pytest_ckpt.formats import Format, register_formats

        if not isinstance(formats, Iterable):
            formats = [formats]
        found = list(formats)
        for item in found:
            if not isinstance(item, Format):
                raise UsageError(f"The hook pytest_ckpt_formats returned {item!r}, which is no pytest_ckpt Format.")
        config.add_cleanup(register_formats(found))

"""What it costs each pytest run to have the plugin, whether or not a test uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Spread
from benchmarks.table import Row

__all__ = ["measure"]

_BARE = "bare pytest"
# An empty plugin: "-p" itself looks through the metadata of all that is installed, as pytest does anyway without it.
_EMPTY = "empty_plugin"
_PLUGINS = {_BARE: _EMPTY, "pytest-ckpt": "pytest_ckpt.plugin", "pytest-torch": "pytest_torch.plugin"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Start:
    seconds: float
    megabytes: float


def measure(rounds: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        Path(folder, "test_nothing.py").touch()
        Path(folder, f"{_EMPTY}.py").touch()
        starts = _start_in_turn(Path(folder), rounds)
    times = {name: [start.seconds for start in found] for name, found in starts.items()}
    ours, theirs = times["pytest-ckpt"], times["pytest-torch"]
    yield Row(
        benchmark="start-up", measured="pytest-ckpt / bare pytest", spread=Spread.ratio(ours, times[_BARE]), limit=1.03
    )
    yield Row(benchmark="start-up", measured="pytest-torch / bare pytest", spread=Spread.ratio(theirs, times[_BARE]))
    yield Row(benchmark="start-up", measured="pytest-ckpt / pytest-torch", spread=Spread.ratio(ours, theirs), limit=1.0)
    for name, limit in {"pytest-ckpt": 1.0, "pytest-torch": None}.items():
        extra = [one.megabytes - bare.megabytes for one, bare in zip(starts[name], starts[_BARE], strict=True)]
        yield Row(
            benchmark="start-up",
            measured=f"{name} - bare pytest, peak memory",
            spread=Spread.of(extra),
            unit="MB",
            limit=limit,
        )


def _start_in_turn(folder: Path, rounds: int) -> dict[str, list[_Start]]:
    found: dict[str, list[_Start]] = {name: [] for name in _PLUGINS}
    for number in range(rounds + 1):
        for name, plugin in _PLUGINS.items():
            start = _start(folder, plugin)
            if number:  # The first one writes the byte code.
                found[name].append(start)
    return found


def _start(folder: Path, plugin: str) -> _Start:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", plugin, "--collect-only", "-q"]
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = process.stdout.read() if process.stdout is not None else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != _NO_TESTS_COLLECTED:
        raise RuntimeError(f"{' '.join(command)} exited with {process.returncode}:\n{output.decode()}")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return _Start(seconds=seconds, megabytes=usage.ru_maxrss / unit)


_NO_TESTS_COLLECTED = 5


def _environment() -> dict[str, str]:
    """Return an environment in which only the plugin asked for is loaded, and byte code is kept."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

"""``python -m benchmarks``: measure, and print one table."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import tempfile
from importlib.metadata import version

import pytest_ckpt
from benchmarks.processes import in_a_fresh_process, rows_of
from benchmarks.table import Row, render

# Nothing here imports torch: what a new process has as its peak memory is at least that of its parent.
_MODULES = {
    "start-up": "benchmarks.start_up",
    "compare": "benchmarks.comparison",
    "round-trip": "benchmarks.round_trip",
    "checks": "benchmarks.default_checks",
    "processes": "benchmarks.fresh_processes",
    "strategies": "benchmarks.strategies",
    "manifest": "benchmarks.manifest",
}
_PACKAGES = ("pytest", "torch", "numpy", "pytest-torch")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which to run: {', '.join(_MODULES)}; default: all")
    parser.add_argument("--rounds", type=int, default=9, help="how often each is measured; default: %(default)s")
    options = parser.parse_args()
    if unknown := set(options.names) - set(_MODULES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    tempfile.tempdir = os.environ["TMPDIR"] = _folder_in_memory()
    rows = [row for name in options.names or _MODULES for row in _measure(name, options.rounds)]
    print(_circumstances(options.rounds), render(rows), sep="\n\n")


def _measure(name: str, rounds: int) -> list[Row]:
    """Run one benchmark in a process of its own, so that no memory or thread of another counts."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    return in_a_fresh_process(rows_of, _MODULES[name], rounds)


def _folder_in_memory() -> str:
    """Return where temporary files do not wait for a disk that others use, too; the usual place if there is none."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()


def _circumstances(rounds: int) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return "\n".join(
        (
            f"{datetime.date.today()}, Python {platform.python_version()} on {machine}",
            f"pytest-ckpt {pytest_ckpt.__version__}, {packages}",
            f"torch on 1 thread, files in {tempfile.gettempdir()}",
            f"median and range of {rounds} rounds ({10 * rounds} of what takes milliseconds) that measure each in turn",
        )
    )


if __name__ == "__main__":
    main()

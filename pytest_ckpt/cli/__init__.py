"""``pytest-ckpt``: what there is to say and do without a test. One module per command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from pytest_ckpt.cli import checks, diff, golden, inspect, scan
from pytest_ckpt.errors import CkptError

__all__ = ["main"]

_COMMANDS = (inspect, diff, scan, golden, checks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; return 2 for one that cannot be used as it was given."""
    parser = argparse.ArgumentParser(prog="pytest-ckpt", description="Checkpoints of PyTorch training runs, tested.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('pytest-ckpt')}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(subparsers)
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
    except CkptError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return status

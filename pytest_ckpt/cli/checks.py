"""``pytest-ckpt checks``: the catalogue of checks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    _Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]


def add_parser(subparsers: _Subparsers) -> None:
    """Add the command to those of ``pytest-ckpt``."""
    words = "list the checks, or show one in full"
    parser = subparsers.add_parser("checks", help=words, description=f"{words[0].upper()}{words[1:]}.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("name", nargs="?", metavar="NAME", help="the check to show in full")
    what.add_argument("--write", type=Path, metavar="DIRECTORY", help="write a page for each check instead")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pytest_ckpt.checks import get_check
    from pytest_ckpt.cli.check_pages import catalogue, page, write_pages

    if options.write is not None:
        print(f"Wrote {write_pages(options.write)} pages to {options.write}.")
    else:
        print(catalogue() if options.name is None else page(get_check(options.name)), end="")
    return 0

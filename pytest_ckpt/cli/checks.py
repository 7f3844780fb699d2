"""``pytest-ckpt checks``: the catalogue of checks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ckpt.cli.files import add_json_option, print_json

if TYPE_CHECKING:
    from pytest_ckpt.checks import Check

    _Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]


def add_parser(subparsers: _Subparsers) -> None:
    """Add the command to those of ``pytest-ckpt``."""
    words = "list the checks, or show one in full"
    parser = subparsers.add_parser("checks", help=words, description=f"{words[0].upper()}{words[1:]}.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("name", nargs="?", metavar="NAME", help="the check to show in full")
    what.add_argument("--write", type=Path, metavar="DIRECTORY", help="write a page for each check instead")
    add_json_option(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pytest_ckpt.checks import get_check, select_checks
    from pytest_ckpt.cli.check_pages import catalogue, page, write_pages

    if options.write is None and options.json:
        checks = select_checks(["all"]) if options.name is None else [get_check(options.name)]
        print_json({"checks": [_document(check) for check in checks]})
    elif options.write is not None:
        print(f"Wrote {write_pages(options.write)} pages to {options.write}.")
    else:
        print(catalogue() if options.name is None else page(get_check(options.name)), end="")
    return 0


def _document(check: Check) -> dict[str, Any]:
    names = ("name", "group", "default", "summary", "why", "remedy")
    return {name: getattr(check, name) for name in names}

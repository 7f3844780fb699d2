"""``pytest-ckpt diff A B``: compare two checkpoints, structure and bits."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ckpt.cli.files import add_json_option, headline, print_json, read, show
from pytest_ckpt.errors import CkptError

if TYPE_CHECKING:
    from pytest_ckpt.inspection import Contents
    from pytest_ckpt.inspection.comparing import FileDifference

    _Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]

_LIMIT = 40
_DESCRIPTION = """\
Compare two checkpoints, also in different formats: what is in them, and every bit of it. Nothing that stands in the
files is run. The exit status is that of diff(1): 0 if they are the same, 1 if they differ, 2 if one cannot be read."""


def add_parser(subparsers: _Subparsers) -> None:
    """Add the command to those of ``pytest-ckpt``."""
    parser = subparsers.add_parser("diff", help="compare two checkpoints", description=_DESCRIPTION)
    parser.add_argument("first", type=Path, metavar="A")
    parser.add_argument("second", type=Path, metavar="B")
    parser.add_argument("--structure", action="store_true", help="compare names, dtypes and shapes, but no values")
    parser.add_argument(
        "--limit", type=int, default=_LIMIT, metavar="N", help=f"differences to show; 0 shows all (default: {_LIMIT})"
    )
    add_json_option(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pytest_ckpt.inspection import UnreadableFile
    from pytest_ckpt.inspection.comparing import compare_contents

    first, second = read(options.first), read(options.second)
    try:
        found = list(compare_contents(first, second, values=not options.structure))
    except (UnreadableFile, OSError) as error:
        raise CkptError(f"{options.first}, {options.second}: {error}") from error
    if options.json:
        print_json({"same": not found, "differences": [asdict(difference) for difference in found]})
    else:
        show(_lines(first, second, found, options.limit))
    return int(bool(found))


def _lines(first: Contents, second: Contents, found: list[FileDifference], limit: int) -> Iterator[str]:
    if not found:
        return
    yield f"A: {headline(first)}"
    yield f"B: {headline(second)}"
    yield ""
    shown = found[: limit or None]
    yield from map(_line, shown)
    if len(shown) < len(found):
        yield f"... and {len(found) - len(shown):,} more; --limit 0 shows all"
    yield ""
    counts = Counter(_WORDS.get(difference.kind, "differ") for difference in found)
    kinds = ", ".join(f"{count:,} {words}" for words, count in counts.items())
    yield f"{len(found):,} {'difference' if len(found) == 1 else 'differences'}: {kinds}."


_WORDS = {"missing": "only in A", "added": "only in B", "moved": "under another name"}


def _line(difference: FileDifference) -> str:
    if difference.kind == "missing":
        return f"- {difference.path}: {difference.first}"
    if difference.kind == "added":
        return f"+ {difference.path}: {difference.second}"
    if difference.kind == "moved":
        return f"> {difference.path}: {difference.first}, moved to {difference.second} with the same bits"
    if difference.detail:
        return f"! {difference.path}: {difference.first}: {difference.detail}"
    return f"! {difference.path}: {difference.first} -> {difference.second}"

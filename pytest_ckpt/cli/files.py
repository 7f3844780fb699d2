"""What the commands on checkpoint files have in common: reading one, and the two ways to print."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ckpt.errors import CkptError

if TYPE_CHECKING:
    from pytest_ckpt.inspection import Contents

__all__ = ["add_json_option", "headline", "print_json", "read", "show"]

_LONGEST_FACT = 60


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json`` to a command."""
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def read(path: Path) -> Contents:
    """Read what is in a checkpoint; nothing in it is run.

    Raises:
        CkptError: If it cannot be read; the message begins with its name.
    """
    from pytest_ckpt.inspection import UnreadableFile, inspect_checkpoint

    try:
        return inspect_checkpoint(path)
    except UnreadableFile as error:
        raise CkptError(f"{path}: {error}") from error


def headline(contents: Contents) -> str:
    """Return the line that says what a file is."""
    from pytest_ckpt.inspection.words import count_of_bytes

    facts = [f"{name} {value}" for name, value in contents.facts.items() if len(value) <= _LONGEST_FACT]
    size = sum(file.stat().st_size for file in _files(contents.path))
    return f"{contents.path}: {', '.join([contents.format, count_of_bytes(size), *facts])}"


def print_json(document: Mapping[str, Any]) -> None:
    """Print a document for programs, in ASCII."""
    show(json.dumps(document, indent=2).split("\n"))


def show(lines: Iterable[str]) -> None:
    """Print lines; what a file says in them cannot move the cursor, and what the terminal cannot spell is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        try:
            print(plain.encode(encoding, "backslashreplace").decode(encoding))
        except BrokenPipeError:  # `pytest-ckpt inspect FILE | head`
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 # Python flushes it at its end
            return


def _files(path: Path) -> list[Path]:
    return [item for item in path.rglob("*") if item.is_file()] if path.is_dir() else [path]

"""``pytest-ckpt scan FILE...``: whether files are whole, and what reading them would run."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ckpt.cli.files import add_json_option, headline, print_json, show

if TYPE_CHECKING:
    _Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]

_NO_CHECKSUMS = "; but this format has no checksums, so a changed bit would not show"
_DESCRIPTION = """\
Look for code that reading a checkpoint would run, and for damage: checksums of zip archives, truncation, storages that
are missing. Nothing that stands in the files is run. The exit status is 0 if nothing was found, 1 if something was, and
2 if a file is no checkpoint or cannot be looked into."""


def add_parser(subparsers: _Subparsers) -> None:
    """Add the command to those of ``pytest-ckpt``."""
    parser = subparsers.add_parser("scan", help="look for code and damage in checkpoints", description=_DESCRIPTION)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="GLOB",
        help="classes and functions that the files may name, such as 'myproject.*'; may be repeated",
    )
    add_json_option(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    found = [_scan(path, options.allow) for path in options.files]
    if options.json:
        print_json({"files": found})
    else:
        show(line for document in found for line in _lines(document))
    return max(int(document["status"]) for document in found)


def _scan(path: Path, allowed: Sequence[str]) -> dict[str, Any]:
    from pytest_ckpt.inspection import UnreadableFile, inspect_checkpoint
    from pytest_ckpt.inspection.integrity import damages, has_checksums

    try:
        contents = inspect_checkpoint(path)
        damage = list(damages(contents))
    except UnreadableFile as error:
        judged = _judged(error.symbols, {}, allowed)
        return {"path": str(path), "status": 1 if judged["dangerous"] else 2, "error": str(error), **judged}
    judged = _judged(contents.symbols, contents.inside, allowed)
    return {
        "path": str(path),
        "status": int(bool(damage) or any(judged.values())),
        "headline": headline(contents),
        "damage": damage,
        **judged,
        "checksums": has_checksums(contents),
    }


def _judged(symbols: Mapping[str, int], inside: Mapping[str, int], allowed: Sequence[str]) -> dict[str, list[str]]:
    from pytest_ckpt.inspection.safety import risk_of

    risks = {name: risk_of(name, allowed) for name in sorted(symbols)}
    return {
        "dangerous": [name for name, risk in risks.items() if risk == "dangerous"],
        "foreign": [name for name, risk in risks.items() if risk == "foreign"],
        "inside": [name for name in sorted(inside) if risk_of(name, allowed) == "dangerous"],
    }


def _lines(document: dict[str, Any]) -> Iterator[str]:
    if "error" in document:
        yield f"{document['path']}: {document['error']}"
    else:
        yield document["headline"]
    for sentence in document.get("damage", ()):
        yield f"    damaged: {sentence}"
    for name in document["dangerous"]:
        yield f"    dangerous: reading it in full calls {name}. Do not load it with weights_only=False."
    for name in document["foreign"]:
        yield f"    foreign code: reading it in full imports {name}. If you trust it: --allow '{name}'."
    for name in document["inside"]:
        yield f"    hidden: a pickle inside of its data calls {name}. Do not unpickle what is in it."
    if document["status"] == 0:
        yield "    nothing found" + ("" if document["checksums"] else _NO_CHECKSUMS)

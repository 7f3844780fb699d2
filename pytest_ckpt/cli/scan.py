"""``pytest-ckpt scan FILE...``: whether files are whole, and what reading them would run."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ckpt.cli.files import add_json_option, headline, print_json

if TYPE_CHECKING:
    _Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]

_NO_CHECKSUMS = "; but this format has no checksums, so a changed bit would not show"
_DESCRIPTION = """\
Look for code that reading a checkpoint would run, and for damage: checksums of zip archives, truncation, storages that
are missing. Nothing that stands in the files is run. The exit status is 0 if nothing was found, 1 if something was, and
2 if a file cannot be looked into."""


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
        print("\n".join(line for document in found for line in _lines(document)))
    return max(int(document["status"]) for document in found)


def _scan(path: Path, allowed: Sequence[str]) -> dict[str, Any]:
    from pytest_ckpt.inspection import UnreadableFile, inspect_checkpoint
    from pytest_ckpt.inspection.integrity import damages, has_checksums
    from pytest_ckpt.inspection.safety import risk_of

    document: dict[str, Any] = {"path": str(path), "status": 2}
    try:
        contents = inspect_checkpoint(path)
        damage = list(damages(contents))
    except UnreadableFile as error:
        return {**document, "error": str(error)}
    risks = {name: risk_of(name, allowed) for name in sorted(contents.symbols)}
    return {
        **document,
        "status": int(bool(damage) or any(risk in ("dangerous", "foreign") for risk in risks.values())),
        "headline": headline(contents),
        "damage": damage,
        "dangerous": [name for name, risk in risks.items() if risk == "dangerous"],
        "foreign": [name for name, risk in risks.items() if risk == "foreign"],
        "checksums": has_checksums(contents),
    }


def _lines(document: dict[str, Any]) -> Iterator[str]:
    if "error" in document:
        yield f"{document['path']}: {document['error']}"
        return
    yield document["headline"]
    for sentence in document["damage"]:
        yield f"    damaged: {sentence}"
    for name in document["dangerous"]:
        yield f"    dangerous: reading it in full calls {name}. Do not read it with weights_only=False."
    for name in document["foreign"]:
        yield f"    foreign code: reading it in full imports {name}. If you trust it: --allow '{name}'."
    if document["status"] == 0:
        yield "    nothing found" + (
            "" if document["checksums"] else "; this format has no checksums, so a changed bit does not show"
        )

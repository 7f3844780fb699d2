"""``pytest-ckpt inspect FILE``: what is in a checkpoint."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ckpt.cli.files import add_json_option, headline, print_json, read, show
from pytest_ckpt.errors import CkptError

if TYPE_CHECKING:
    from pytest_ckpt.inspection import Contents

    _Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]

_DESCRIPTION = """\
List what is in a checkpoint: a file of torch.save (zip or legacy), a pickle, a safetensors or JSON file, or a directory
of torch.distributed.checkpoint. Nothing that stands in the file is run, and no tensor is read."""
_DEPTH = """\
levels to show, 0 for all; what stands below is added up (default: as many as give no more than 200 lines)"""


def add_parser(subparsers: _Subparsers) -> None:
    """Add the command to those of ``pytest-ckpt``."""
    parser = subparsers.add_parser("inspect", help="list what is in a checkpoint", description=_DESCRIPTION)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--depth", type=int, metavar="N", help=_DEPTH)
    add_json_option(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pytest_ckpt.inspection import UnreadableFile

    contents = read(options.file)
    try:
        document, lines = (_document(contents), []) if options.json else ({}, list(_lines(contents, options.depth)))
    except UnreadableFile as error:
        raise CkptError(f"{options.file}: {error}") from error
    if options.json:
        print_json(document)
    show(lines)
    return 0


def _lines(contents: Contents, depth: int | None) -> Iterator[str]:
    from pytest_ckpt.inspection.listing import listing
    from pytest_ckpt.inspection.safety import risk_of

    yield headline(contents)
    yield from (f"problem: {problem}" for problem in contents.problems)
    yield ""
    yield from listing(contents.root, depth)
    foreign = sorted(name for name in contents.symbols if risk_of(name) in ("foreign", "dangerous"))
    if foreign:
        yield f"Reading it in full would import and run: {', '.join(foreign)}. `pytest-ckpt scan` judges them."


def _document(contents: Contents) -> dict[str, Any]:
    from pytest_ckpt.inspection import walk
    from pytest_ckpt.inspection.safety import risk_of
    from pytest_ckpt.paths import spell

    return {
        "path": str(contents.path),
        "format": contents.format,
        "facts": dict(contents.facts),
        "problems": list(contents.problems),
        "symbols": {name: {"count": n, "risk": risk_of(name)} for name, n in contents.symbols.items()},
        "leaves": {spell(keys): _leaf(value) for keys, value in walk(contents.root)},
    }


def _leaf(value: Any) -> dict[str, Any]:
    from pytest_ckpt.inspection import TensorInfo
    from pytest_ckpt.inspection.words import describe, size_of

    if not isinstance(value, TensorInfo):
        return {"value": describe(value)}
    return {
        "dtype": value.dtype,
        "shape": list(value.shape),
        "strides": list(value.strides),
        "kind": value.kind,
        "device": value.device,
        "bytes": size_of(value),
        "storages": [storage.key for storage in value.storages],
    }

"""``pytest-ckpt inspect FILE``: what is in a checkpoint."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ckpt.cli.files import add_json_option, headline, print_json, read

if TYPE_CHECKING:
    from pytest_ckpt.inspection import Contents

    _Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]

_DESCRIPTION = """\
List what is in a checkpoint: a file of torch.save (zip or legacy), a pickle, a safetensors or JSON file, or a directory
of torch.distributed.checkpoint. Nothing that stands in the file is run, and no tensor is read."""


def add_parser(subparsers: _Subparsers) -> None:
    """Add the command to those of ``pytest-ckpt``."""
    parser = subparsers.add_parser("inspect", help="list what is in a checkpoint", description=_DESCRIPTION)
    parser.add_argument("file", type=Path, metavar="FILE")
    add_json_option(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    contents = read(options.file)
    if options.json:
        print_json(_document(contents))
    else:
        print("\n".join(_lines(contents)))
    return 0


def _lines(contents: Contents) -> Iterator[str]:
    from pytest_ckpt.inspection.safety import risk_of

    yield headline(contents)
    for problem in contents.problems:
        yield f"problem: {problem}"
    yield ""
    rows = list(_rows(contents))
    width = min(max((len(path) for path, _, _ in rows), default=0), 60)
    for path, words, remark in rows:
        yield f"{path:<{width}}  {words:<24}  {remark}".rstrip()
    yield ""
    yield _totals(contents)
    foreign = sorted(name for name in contents.symbols if risk_of(name) in ("foreign", "dangerous"))
    if foreign:
        yield f"Reading it in full would import and run: {', '.join(foreign)}. `pytest-ckpt scan` judges them."


def _rows(contents: Contents) -> Iterator[tuple[str, str, str]]:
    from pytest_ckpt.inspection import TensorInfo, walk
    from pytest_ckpt.inspection.words import count_of_bytes, describe, size_of
    from pytest_ckpt.paths import spell

    first_at: dict[int, str] = {}
    for keys, value in walk(contents.root):
        path, remarks = spell(keys), []
        if isinstance(value, TensorInfo):
            remarks.append(count_of_bytes(size_of(value)))
            remarks += [value.device] if value.device != "cpu" else []
            remarks += [value.kind] if value.kind == "parameter" else []
            for storage in value.storages:
                other = first_at.setdefault(id(storage), path)
                remarks += [f"shares memory with {other}"] if other != path else []
        yield path, describe(value), ", ".join(remarks)


def _totals(contents: Contents) -> str:
    from pytest_ckpt.inspection import TensorInfo, walk
    from pytest_ckpt.inspection.words import count_of_bytes, size_of

    tensors = [value for _, value in walk(contents.root) if isinstance(value, TensorInfo)]
    elements = sum(tensor.numel for tensor in tensors)
    size = count_of_bytes(sum(map(size_of, tensors)))
    count = "1 tensor" if len(tensors) == 1 else f"{len(tensors):,} tensors"
    return f"{count} of {elements:,} elements, {size}."


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

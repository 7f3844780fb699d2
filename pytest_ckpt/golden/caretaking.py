"""Manifests and kept checkpoints on disk, looked after without running any code of the project."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

from pytest_ckpt.golden.files import digest_of, files_of
from pytest_ckpt.golden.keeping import MANIFEST, golden_files, is_url
from pytest_ckpt.golden.manifest import Golden, Manifest, read_manifest, write_manifest
from pytest_ckpt.inspection import UnreadableFile, inspect_checkpoint

__all__ = ["find_manifests", "prune", "survey"]

_MARK = '"manifest": '  # Other programs call files manifest.json as well.


def find_manifests(directory: Path) -> Iterator[Path]:
    """Yield the manifests below a directory, hidden directories aside, in the order of their names."""
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        path = Path(folder, MANIFEST)
        if MANIFEST in names and _MARK in path.read_text(encoding="utf-8", errors="replace")[:40]:
            yield path


def survey(path: Path, *, thorough: bool) -> dict[str, Any]:
    """Return what there is to know of a manifest and its kept checkpoints, as JSON has it.

    Args:
        path: The manifest.
        thorough: Whether to read kept checkpoints in full.

    Raises:
        UsageError: If the manifest cannot be read.
    """
    manifest = read_manifest(path)
    goldens = [_golden(path.parent, golden, thorough=thorough) for golden in manifest.goldens]
    expired = [waiver for waiver in manifest.waivers if waiver.expired(date.today())]
    return {
        "path": str(path),
        "name": manifest.name,
        "format": manifest.format,
        "leaves": len(manifest.file),
        "goldens": goldens,
        "waivers": [{**asdict(waiver), "until": waiver.until.isoformat()} for waiver in manifest.waivers],
        "problems": [
            *(f"{golden['name']}: {golden['state']}" for golden in goldens if not golden["well"]),
            *(f"the waiver of {w.path} has expired on {w.until}; its reason was: {w.reason}" for w in expired),
        ],
    }


def _golden(directory: Path, golden: Golden, *, thorough: bool) -> dict[str, Any]:
    url, path = is_url(golden.file), directory / golden.file
    there = not url and path.exists()
    state = _state(directory, golden, thorough=thorough)
    return {
        "name": golden.name,
        "file": golden.file,
        "sha256": golden.sha256,
        "at": golden.at,
        "url": url,
        "there": there,
        "bytes": sum(file.stat().st_size for file in _files(path)) if there else 0,
        "losses": len(golden.losses),
        "state": state,
        "well": state in _WELL,
    }


_FETCHED, _THERE, _WHOLE = "not fetched: it is at a URL", "there", "whole, and the file that was kept"
_WELL = (_FETCHED, _THERE, _WHOLE)


def _state(directory: Path, golden: Golden, *, thorough: bool) -> str:
    if not (directory / f"{golden.name}.json").is_file():
        return f"its own manifest {golden.name}.json is not there"
    if is_url(golden.file):
        return _FETCHED
    path = directory / golden.file
    if not path.exists():
        return f"{golden.file} is not there"
    if not thorough:
        return _THERE
    if (found := digest_of(path)) != golden.sha256:
        return (
            f"{golden.file} is not the file that was kept: its sha256 is {found[:12]}..., not {golden.sha256[:12]}..."
        )
    try:
        _look_into(path)
    except UnreadableFile as error:
        return f"{golden.file} cannot be read: {error}"
    return _WHOLE


def _look_into(path: Path) -> None:
    if path.is_file():
        inspect_checkpoint(path)
    else:
        files_of(next(path.iterdir()))


def _files(path: Path) -> Iterator[Path]:
    yield from (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def prune(entry: dict[str, Any], *, dry: bool) -> list[str]:
    """Remove files that no manifest names, and from a manifest what is not there any more.

    Args:
        entry: What :func:`survey` returned.
        dry: Whether to say only what would be removed.

    Returns:
        What was removed, in words.
    """
    path = Path(entry["path"])
    manifest = read_manifest(path)
    gone = {golden.name for golden in manifest.goldens if not _exists(path.parent, golden)}
    kept = replace(manifest, goldens=tuple(golden for golden in manifest.goldens if golden.name not in gone))
    strays = sorted(set(path.parent.iterdir()) - set(_needed(path.parent, kept)))
    if not dry:
        if gone:
            write_manifest(kept, path)
        for stray in strays:
            shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
    return [*(f"{name} in {path}: its file is not there" for name in sorted(gone)), *map(str, strays)]


def _exists(directory: Path, golden: Golden) -> bool:
    return is_url(golden.file) or (directory / golden.file).exists()


def _needed(directory: Path, manifest: Manifest) -> Iterator[Path]:
    for file in golden_files(directory, manifest):
        yield directory / file.relative_to(directory).parts[0]

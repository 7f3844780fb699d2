"""Goldens: checkpoints that are kept, beside their manifest or at a URL, each with the manifest of its day."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from pytest_ckpt.errors import CkptError, MissingDependencyError, UsageError
from pytest_ckpt.golden.files import digest_of
from pytest_ckpt.golden.manifest import Conditions, Golden, Manifest, read_manifest, write_manifest

__all__ = ["MANIFEST", "fetch", "golden_files", "is_url", "keep", "manifest_of"]

MANIFEST = "manifest.json"


def is_url(file: str) -> bool:
    """Whether a golden is kept elsewhere."""
    return "://" in file


def manifest_of(directory: Path, golden: Golden) -> Manifest:
    """Read the manifest of a golden's own day; it lies beside today's, also where the golden is elsewhere.

    Raises:
        UsageError: If there is none, or it cannot be read.
    """
    return read_manifest(directory / f"{golden.name}.json")


def golden_files(directory: Path, manifest: Manifest) -> Iterator[Path]:
    """Yield the files and directories that a manifest and its goldens need, itself included."""
    yield directory / MANIFEST
    for golden in manifest.goldens:
        yield directory / f"{golden.name}.json"
        if not is_url(golden.file):
            yield directory / golden.file


@contextmanager
def fetch(directory: Path, golden: Golden, saved_as: str, into: Path) -> Iterator[Path]:
    """Copy a golden to where ``load`` may do with it what it likes, and give the path that ``load`` expects.

    Args:
        directory: Where its manifest is.
        golden: The golden.
        saved_as: The name of the path that ``save`` was called with.
        into: An empty directory.

    Raises:
        CkptError: If it is not there, or not the one that was kept.
        MissingDependencyError: If it is at a URL and fsspec is not installed.
    """
    folder = into / f"golden-{golden.name}"
    folder.mkdir()
    target = folder if golden.file.endswith("/") else folder / saved_as
    if is_url(golden.file):
        _download(golden.file, target)
    else:
        _copy(directory / golden.file, target)
    if (found := digest_of(target)) != golden.sha256:
        raise CkptError(
            f"{golden.file} of {directory} is not the file that was kept: its SHA-256 is {found}, the manifest says "
            f"{golden.sha256}. Restore it from version control; a golden is never edited."
        )
    try:
        yield folder / saved_as
    finally:
        shutil.rmtree(folder)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True)
    elif source.is_file():
        shutil.copyfile(source, target)
    else:
        raise CkptError(f"There is no {source}, which its manifest names. Restore it from version control.")


def _download(url: str, target: Path) -> None:
    try:
        fsspec: Any = import_module("fsspec")
    except ImportError as error:
        raise MissingDependencyError(f"The golden at {url} needs fsspec: pip install fsspec") from error
    try:
        system, path = fsspec.core.url_to_fs(url)
        system.get(path, str(target), recursive=url.endswith("/"))
    except ImportError as error:  # Its message names the package: s3fs, gcsfs, adlfs.
        raise MissingDependencyError(f"The golden at {url} cannot be fetched: {error}") from error
    except Exception as error:
        raise CkptError(f"The golden at {url} cannot be fetched: {type(error).__name__}: {error}") from error


def keep(
    directory: Path,
    release: str,
    saved: Path,
    today: Manifest,
    losses: tuple[tuple[str, ...], ...],
    conditions: Conditions,
) -> Golden:
    """Keep a checkpoint as a golden; nothing that is kept is ever written over.

    Args:
        directory: Where the manifest is.
        release: What to call it.
        saved: The checkpoint, in a directory of its own.
        today: Its manifest.
        losses: What the steps after it return.
        conditions: What these depend on.

    Raises:
        UsageError: If there is a golden of that name, or the name is none.
    """
    if not release or release != Path(release).name or release == "manifest" or release.startswith("."):
        raise UsageError(f"{release!r} cannot be the name of a golden: it becomes the name of a file.")
    alone = list(saved.parent.iterdir()) == [saved] and saved.is_file()
    file = f"{release}{saved.suffix}" if alone else f"{release}/"
    target = directory / file
    if target.exists() or (directory / f"{release}.json").exists():
        raise UsageError(f"There is a golden {release} in {directory} already. Another needs another name.")
    directory.mkdir(parents=True, exist_ok=True)
    _copy(saved if alone else saved.parent, target)
    write_manifest(today, directory / f"{release}.json")
    return Golden(name=release, file=file, sha256=digest_of(target), at=today.at, losses=losses, conditions=conditions)

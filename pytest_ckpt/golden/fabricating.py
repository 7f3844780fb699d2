"""A checkpoint that never was: today's own, edited until it has the form that an old manifest describes.

Every check on old files that needs no kept file stands on it. It has the names, shapes and dtypes of the old one and is
written in the old format; its values are today's where a tensor is still the same, and seeded random numbers elsewhere,
so that its content can be followed into the run that loads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import torch

from pytest_ckpt.editing import Document, read_saved
from pytest_ckpt.editing.codecs import codec_for
from pytest_ckpt.editing.places import refilled
from pytest_ckpt.errors import CkptError
from pytest_ckpt.golden.class_names import classes_called
from pytest_ckpt.golden.describing import leaves_of_file
from pytest_ckpt.golden.files import OPAQUE, files_of
from pytest_ckpt.golden.making_up import MakerUp
from pytest_ckpt.golden.manifest import Manifest
from pytest_ckpt.golden.module_versions import with_versions
from pytest_ckpt.golden.structure import place_at, pruned
from pytest_ckpt.golden.words import form_of
from pytest_ckpt.inspection import walk
from pytest_ckpt.paths import spell

__all__ = ["CannotFabricate", "fabricate"]

_Tensors: TypeAlias = Mapping[str, torch.Tensor]


class CannotFabricate(CkptError):
    """A file of the old form cannot be made from today's; the message says why, in words for a note."""


def fabricate(path: Path, today: Manifest, old: Manifest, known: _Tensors) -> None:
    """Give a checkpoint that a run of today has just saved the form of an old one.

    Args:
        path: What ``save`` was called with, in a directory of its own. It is written over.
        today: Its manifest.
        old: The manifest of the old form.
        known: Tensors of its state that it does not save, such as buffers that are not persistent.

    Raises:
        CannotFabricate: If that cannot be done; the files are no longer of use then.
    """
    document = read_saved(path)
    unread = {name: file.reason for name, file in document.files.items() if file.codec is None}
    for name, reason in unread.items():
        if not name or old.leaves.get(name) != OPAQUE:  # A log beside the checkpoint may stay as it is.
            raise CannotFabricate(": ".join(filter(None, (name, reason))))
    try:
        edited = document
        for name in document.readable:
            edited = _edited(edited, name, today, old, known)
        with classes_called(_renamed_classes(today.classes, old.classes)):
            edited.write_over(document)
    except Exception as error:
        raise CannotFabricate(f"{type(error).__name__}: {error}") from error
    _require_form(path, old)


def _renamed_classes(today: tuple[str, ...], old: tuple[str, ...]) -> dict[str, str]:
    """Return today's name of each class to what the old file calls it."""
    gone, come = [name for name in old if name not in today], [name for name in today if name not in old]
    if len(gone) == len(come) == 1:
        return {come[0]: gone[0]}
    by_name = {re.split(r"[.:]", name)[-1]: name for name in come}
    pairs = {by_name[last]: name for name in gone if (last := re.split(r"[.:]", name)[-1]) in by_name}
    if len(pairs) < len(gone):
        raise ValueError(f"the old file names classes that today's does not: {', '.join(gone)}")
    return pairs


def _edited(document: Document, name: str, today: Manifest, old: Manifest, known: _Tensors) -> Document:
    prefix = f"{name}: " if name else ""
    wanted, have = (_of_file(manifest.leaves, prefix) for manifest in (old, today))
    if not wanted:
        return document.without(name)
    file = document.files[name]
    codec = file.codec
    if old.format != today.format and len(document.files) == 1:
        codec = codec_for(old.format)
        if codec is None:
            raise ValueError(f"the format {old.format} cannot be written here")
    content = file.content if wanted == have else _content(file.content, wanted, have, old, prefix, known)
    # Another object also where nothing changed, so that it is written again: classes may have another name.
    new = replace(file, content=with_versions(content, old, prefix), codec=codec)
    return replace(document, files={**document.files, name: new})


def _of_file(entries: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the entries of one file; shared memory is spelled with the file's name, too."""
    mine = {path.removeprefix(prefix): words for path, words in entries.items() if path.startswith(prefix)}
    return {path: words.replace(f"with {prefix}", "with ") if prefix else words for path, words in mine.items()}


def _content(
    content: Any, wanted: Mapping[str, str], have: Mapping[str, str], old: Manifest, prefix: str, known: _Tensors
) -> Any:
    same = {path for path, words in wanted.items() if form_of(have.get(path, "")) == form_of(words)}
    root = pruned(content, same)
    if root is None:
        root = refilled(content, {}) if isinstance(content, Mapping) else {}
    root = _loose(root)
    there = {spell(keys): value for keys, value in walk(root) if isinstance(value, torch.Tensor)}
    maker = MakerUp(wanted, _of_file(old.holds, prefix), known, there)
    for path in sorted(wanted.keys() - same, key=_in_order):
        place_at(root, path, maker.value(path), _of_file(old.keyed, prefix))
    return root


def _loose(value: Any) -> Any:
    """Copy the containers, so that today's own are not changed; tuples become lists where there is more to put."""
    if isinstance(value, Mapping):
        return refilled(value, {key: _loose(item) for key, item in value.items()})
    return [_loose(item) for item in value] if type(value) is list else value


def _in_order(path: str) -> list[Any]:
    """Order paths so that a list grows from its first item on."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[\[\]]", path)]


def _require_form(path: Path, old: Manifest) -> None:
    """Raise unless the file is what the manifest describes: a judgement must not stand on another one."""
    made = dict(_leaves(path))
    expected = {name: form_of(words) for name, words in old.leaves.items()}
    for name in {**expected, **made}:
        was, now = expected.get(name, "nothing"), made.get(name, "nothing")
        if was != now:
            raise CannotFabricate(f"{name} would be {now} in place of {was}")


def _leaves(path: Path) -> Iterator[tuple[str, str]]:
    for prefix, contents in files_of(path).items():
        yield from ((name, form_of(words)) for name, words in leaves_of_file(contents, prefix))

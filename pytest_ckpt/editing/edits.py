"""What can be done to a checkpoint: an entry gone, under another name, of another shape, of another dtype."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from pytest_ckpt.editing.content import Document
from pytest_ckpt.editing.places import at_place, changed, children, optimizer_states, renamed, tensors, without
from pytest_ckpt.paths import Keys

__all__ = ["Edit", "casts", "drops", "edit_at", "renames", "reshapes"]

_NARROWER = {
    torch.float64: torch.float32,
    torch.float32: torch.float16,
    torch.float16: torch.bfloat16,
    torch.bfloat16: torch.float16,
    torch.complex128: torch.complex64,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One change to a checkpoint.

    Attributes:
        path: The place that it changes, as a path into the checkpoint.
        change: What it does there, such as ``renamed to weight_renamed``.
        apply: Returns the changed document; the one it is given stays as it is.
        lenient: Why a correct load may take it in silence; empty if it may not.
    """

    path: str
    change: str
    apply: Callable[[Document], Document]
    lenient: str = ""


def drops(document: Document) -> list[Edit]:
    """Return edits that drop each file, each top-level entry and each tensor."""
    files = [
        Edit(path=name, change="file missing", apply=partial(Document.without, name=name))
        for name in document.files
        if name
    ]
    entries = [
        edit_at(document, name, keys, "missing", partial(without, keys=keys)) for name, keys in _entries(document)
    ]
    return [*files, *entries, *_drops_of_tensors(document)]


def _drops_of_tensors(document: Document) -> Iterator[Edit]:
    in_state = _places_of_state(document)
    for name, keys in _tensors(document):
        in_list = len(keys) > 1 and not isinstance(at_place(document.files[name].content, keys[:-1]), Mapping)
        lenient = _STATE_NOT_BEGUN if in_state(name, keys) else _ANY_LENGTH if in_list else ""
        yield edit_at(document, name, keys, "missing", partial(without, keys=keys), lenient=lenient)


_ANY_LENGTH = "a list may have any length"
_STATE_NOT_BEGUN = "torch takes a parameter's missing state for state that has not begun"


def renames(document: Document) -> list[Edit]:
    """Return edits that give each top-level entry and each tensor another name."""
    edits = []
    for name, keys in (*_entries(document), *_tensors_outside_optimizers(document)):
        if isinstance(keys[-1], str):
            new = f"{keys[-1]}_renamed"
            edits.append(edit_at(document, name, keys, f"renamed to {new}", partial(renamed, keys=keys, name=new)))
    return edits


def reshapes(document: Document) -> list[Edit]:
    """Return edits that leave each tensor its first row alone, and turn the shape of each matrix round."""
    edits = []
    for name, keys in _tensors_outside_optimizers(document):
        tensor = at_place(document.files[name].content, keys)
        for reshape in _reshapes(tensor) if _is_plain(tensor) else ():
            change = f"reshaped from {tuple(tensor.shape)} to {tuple(reshape(tensor).shape)}"
            edits.append(edit_at(document, name, keys, change, partial(changed, keys=keys, change=reshape)))
    return edits


def casts(document: Document) -> list[Edit]:
    """Return edits that round each tensor to a narrower dtype, where that changes a value."""
    edits = []
    for name, keys in _tensors_outside_optimizers(document):
        tensor = at_place(document.files[name].content, keys)
        narrower = _NARROWER.get(tensor.dtype)
        if narrower is None or not _is_plain(tensor) or torch.equal(tensor.to(narrower).to(tensor.dtype), tensor):
            continue
        change = f"cast from {_name(tensor.dtype)} to {_name(narrower)}"
        edits.append(
            edit_at(document, name, keys, change, partial(changed, keys=keys, change=partial(_cast, dtype=narrower)))
        )
    return edits


def edit_at(
    document: Document, name: str, keys: Keys, change: str, apply: Callable[[Any], Any], lenient: str = ""
) -> Edit:
    """Return an edit that changes the content of one file."""
    path, apply_to = document.spell(name, keys) or "the file", partial(_applied, name=name, apply=apply)
    return Edit(path=path, change=change, apply=apply_to, lenient=lenient)


def _applied(document: Document, name: str, apply: Callable[[Any], Any]) -> Document:
    return document.with_content(name, apply(document.files[name].content))


def _entries(document: Document) -> Iterator[tuple[str, Keys]]:
    """Yield the places of top-level entries; an only entry is looked into, a tensor is no entry."""
    for name, file in document.readable.items():
        keys: Keys = ()
        found = children(file.content)
        while found and not _is_scheduler_state(file.content, keys):
            yield from ((name, (*keys, key)) for key, item in found if not isinstance(item, torch.Tensor))
            (key, item), *others = found
            keys, found = (*keys, key), [] if others or not isinstance(item, Mapping) else children(item)


def _is_scheduler_state(content: Any, keys: Keys) -> bool:
    """Whether a file is one scheduler's: those of torch take any entries, so only the file as a whole can be missed."""
    found = at_place(content, keys)
    return isinstance(found, Mapping) and {"last_epoch", "_last_lr"} <= found.keys()


def _tensors(document: Document) -> Iterator[tuple[str, Keys]]:
    for name, file in document.readable.items():
        yield from ((name, keys) for keys, _ in tensors(file.content) if keys)


def _tensors_outside_optimizers(document: Document) -> Iterator[tuple[str, Keys]]:
    within = _places_of_state(document)
    return ((name, keys) for name, keys in _tensors(document) if not within(name, keys))


def _places_of_state(document: Document) -> Callable[[str, Keys], bool]:
    """Return a function that says whether a place is in the state that an optimizer keeps by parameter."""
    places = {name: [(*keys, "state") for keys in optimizer_states(f.content)] for name, f in document.readable.items()}
    return lambda name, keys: any(keys[: len(place)] == place for place in places[name])


def _is_plain(tensor: torch.Tensor) -> bool:
    plain = type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout is torch.strided
    return plain and not (tensor.is_quantized or tensor.is_nested or tensor.is_meta)


def _reshapes(tensor: torch.Tensor) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    if tensor.ndim and tensor.shape[0] > 1:
        yield _first_row
    elif tensor.numel():
        yield _twice
    if tensor.ndim > 1 and tensor.shape[0] != tensor.shape[1]:
        yield _turned_round


def _first_row(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach()[:1].clone()


def _twice(tensor: torch.Tensor) -> torch.Tensor:
    return torch.stack([tensor.detach(), tensor.detach()])


def _turned_round(tensor: torch.Tensor) -> torch.Tensor:
    rows, columns, *rest = tensor.shape
    return tensor.detach().reshape(columns, rows, *rest).clone()


def _cast(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return tensor.detach().to(dtype)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

"""The manifest: what a run's checkpoint is made of, as a JSON file that people review and commit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pytest_ckpt.errors import UsageError

__all__ = ["Conditions", "Golden", "Manifest", "Waiver", "read_manifest", "with_origin", "write_manifest"]

_SCHEMA = 1
_HOLDS = " = "


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """What the bits of a training step depend on, beside the program.

    Attributes:
        torch: The version, without its local part.
        threads: How many torch used.
        capability: ``torch.backends.cpu.get_cpu_capability()``.
        machine: ``platform.machine()``.
    """

    torch: str
    threads: int
    capability: str
    machine: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Golden:
    """A checkpoint that is kept, and what its run did next.

    Attributes:
        name: What it is called, such as the release that wrote it.
        file: Where it is: a path beside the manifest, or a URL that fsspec understands.
        sha256: The digest of its bytes; of a directory, that of its files' names and digests.
        at: Training steps before it was saved.
        losses: What the next steps returned, one list of numbers each, as written by ``float.hex``.
        conditions: What these numbers depend on.
    """

    name: str
    file: str
    sha256: str
    at: int
    losses: tuple[tuple[str, ...], ...]
    conditions: Conditions


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiver:
    """A change that the project decided to make.

    Attributes:
        path: A glob of the paths that it concerns, as for ``ignore``.
        reason: Why old checkpoints, or old code, need not do with it.
        until: The last day on which it holds.
    """

    path: str
    reason: str
    until: date

    def expired(self, today: date) -> bool:
        """Whether it holds no longer."""
        return today > self.until


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a run's checkpoint is made of.

    Attributes:
        name: What the run is called.
        at: Training steps before the checkpoint was saved that this describes.
        made_with: Versions: ``python``, ``torch``, ``pytest-ckpt``.
        format: How the file is written, in words.
        classes: What reading the file in full imports, beside what every state dict needs.
        file: Path to words, for each leaf of the file: ``net.fc.weight`` to ``float32 (10, 84) = model.fc.weight``,
            which says whose content it is among the state of the components.
        keyed: Path of a mapping in the file to what its keys are, where they are not plain names: ``names with dots``
            or ``numbers``. Only so do paths lead to one place.
        components: Component to class, and path to words for all that is in its state.
        digests: Path to SHA-256 of a tensor's bytes, where asked for.
        goldens: Checkpoints that are kept beside it, the oldest first.
        waivers: Changes that are accepted for a while.
    """

    name: str
    at: int
    made_with: Mapping[str, str]
    format: str
    classes: tuple[str, ...] = ()
    file: Mapping[str, str] = field(default_factory=dict)
    keyed: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    goldens: tuple[Golden, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    @property
    def holds(self) -> dict[str, str]:
        """The path of the state that each tensor of the file holds, as far as it is known."""
        split = {path: words.rpartition(_HOLDS) for path, words in self.file.items()}
        return {path: origin for path, (_, found, origin) in split.items() if found and not _is_text(self.file[path])}

    @property
    def leaves(self) -> dict[str, str]:
        """Path to words for each leaf of the file, without whose content it is."""
        held = self.holds
        return {path: words.rpartition(_HOLDS)[0] if path in held else words for path, words in self.file.items()}

    @property
    def state(self) -> dict[str, str]:
        """Path to words for everything in the state of components that are neither a module nor an optimizer."""
        return {
            f"{name}{'' if path.startswith('[') else '.'}{path}": words
            for name, part in self.components.items()
            for path, words in part.items()
            if path != "class"
        }


def with_origin(words: str, origin: str) -> str:
    """Return the words of a leaf with whose content it is."""
    return f"{words}{_HOLDS}{origin}" if origin else words


def _is_text(words: str) -> bool:
    return words.startswith(("str ", "bytes "))


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest: sorted, one line per tensor, the same bytes for the same content."""
    document = {"manifest": _SCHEMA, **asdict(manifest)}
    # What people edit by hand stands where they see it.
    first = ("manifest", "name", "at", "made_with", "waivers", "goldens")
    document = {**{name: document[name] for name in first}, **document}
    document["made_with"] = dict(sorted(manifest.made_with.items()))
    for name in ("file", "keyed", "digests"):
        document[name] = dict(sorted(document[name].items()))
    document["components"] = {name: dict(sorted(part.items())) for name, part in sorted(manifest.components.items())}
    if not document["digests"]:
        del document["digests"]
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.new")
    partial.write_text(f"{text}\n", encoding="utf-8")
    partial.replace(path)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        UsageError: If there is none, or it cannot be read.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return _manifest(document)
    except FileNotFoundError:
        raise UsageError(f"There is no manifest at {path}.") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{path} is no manifest that can be read: {error}. Restore it from version control, or make it anew "
            "with --ckpt-update."
        ) from error


def _manifest(document: dict[str, Any]) -> Manifest:
    schema = document.pop("manifest")
    if schema != _SCHEMA:
        raise ValueError(f"its version is {schema}, this release reads {_SCHEMA}")
    goldens = tuple(
        Golden(**{**item, "losses": tuple(map(tuple, item["losses"])), "conditions": Conditions(**item["conditions"])})
        for item in document.pop("goldens", ())
    )
    waivers = tuple(Waiver(**{**item, "until": _day(item)}) for item in document.pop("waivers", ()))
    classes = tuple(document.pop("classes", ()))
    return Manifest(**document, classes=classes, goldens=goldens, waivers=waivers)


def _day(waiver: Mapping[str, Any]) -> date:
    if not waiver.get("reason"):
        raise ValueError(f"the waiver of {waiver.get('path')!r} gives no reason")
    return date.fromisoformat(waiver["until"])

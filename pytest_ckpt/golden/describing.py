"""From a live run and the checkpoint it has saved to their manifest."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pytest_ckpt.golden.files import OPAQUE, files_of
from pytest_ckpt.golden.manifest import Conditions, Manifest, with_origin
from pytest_ckpt.golden.origins import origins
from pytest_ckpt.golden.structure import keyed_mappings
from pytest_ckpt.golden.words import plain_words
from pytest_ckpt.inspection import Contents, TensorInfo, inspect_checkpoint, walk
from pytest_ckpt.inspection.safety import risk_of
from pytest_ckpt.inspection.values import open_values
from pytest_ckpt.inspection.words import describe
from pytest_ckpt.paths import Bracketed, spell
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.state import capture
from pytest_ckpt.state.naming import is_optimizer_like
from pytest_ckpt.state.tensors import describe_tensor

__all__ = ["conditions_here", "describe_checkpoint", "describe_run", "leaves_of_file"]


def conditions_here() -> Conditions:
    """Return what bits depend on, in this process."""
    return Conditions(
        torch=torch.__version__.partition("+")[0],
        threads=torch.get_num_threads(),
        capability=torch.backends.cpu.get_cpu_capability(),
        machine=platform.machine(),
    )


def describe_run(run: LiveRun, path: Path, *, name: str, at: int, digests: bool = False) -> Manifest:
    """Describe a run that has trained, and the checkpoint it has saved.

    Args:
        run: The run, as it was when it saved.
        path: What ``save`` was called with; files beside it belong to the checkpoint.
        name: What to call the run.
        at: Training steps before saving.
        digests: Whether to note SHA-256 of each tensor's bytes.

    Raises:
        UnreadableFile: If a file cannot be looked into.
    """
    files = files_of(path)
    leaves = {key: text for prefix, contents in files.items() for key, text in leaves_of_file(contents, prefix)}
    held = origins(run, path)
    symbols = {symbol for contents in files.values() for symbol in contents.symbols}
    return Manifest(
        name=name,
        at=at,
        made_with=_versions(),
        format=", ".join(dict.fromkeys(contents.format for contents in files.values())),
        classes=tuple(sorted(symbol for symbol in symbols if risk_of(symbol) != "plain")),
        file={key: with_origin(text, held.get(key, "")) for key, text in leaves.items()},
        keyed={
            path: keys for prefix, contents in files.items() for path, keys in keyed_mappings(contents.root, prefix)
        },
        components={name: dict(_component(name, item, run)) for name, item in run.components.items()},
        digests={k: v for prefix, c in files.items() for k, v in _digests(c, prefix)} if digests else {},
    )


def describe_checkpoint(path: Path, *, name: str, digests: bool = False) -> Manifest:
    """Describe a checkpoint alone; no tensor is in memory at any time.

    Raises:
        UnreadableFile: If it cannot be looked into.
    """
    contents = inspect_checkpoint(path)
    return Manifest(
        name=name,
        at=0,
        made_with=_versions(),
        format=contents.format,
        classes=tuple(sorted(symbol for symbol in contents.symbols if risk_of(symbol) != "plain")),
        file=dict(leaves_of_file(contents)),
        keyed=dict(keyed_mappings(contents.root)),
        digests=dict(_digests(contents)) if digests else {},
    )


def leaves_of_file(contents: Contents, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and words for each leaf of a file."""
    first_at: dict[int, str] = {}
    if contents.format == OPAQUE:
        yield prefix.removesuffix(": ") or "the file", OPAQUE
        return
    for keys, value in walk(contents.root):
        path = f"{prefix}{spell(keys)}" if keys else prefix.removesuffix(": ")
        words = describe(value) if isinstance(value, TensorInfo) else plain_words(value)
        if isinstance(value, TensorInfo):
            for storage in value.storages:
                other = first_at.setdefault(id(storage), path)
                words += f", shares memory with {other}" if other != path else ""
        yield path, words


def _digests(contents: Contents, prefix: str = "") -> Iterator[tuple[str, str]]:
    with open_values() as values:
        for keys, value in walk(contents.root):
            if isinstance(value, TensorInfo):
                digest = hashlib.sha256()
                for chunk in values.chunks(value):
                    digest.update(chunk)
                yield f"{prefix}{spell(keys)}", digest.hexdigest()


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "pytest-ckpt": version("pytest-ckpt"),
        "torch": torch.__version__.partition("+")[0],
    }


def _component(name: str, component: Any, run: LiveRun) -> Iterator[tuple[str, str]]:
    kind = type(component)
    yield "class", f"{kind.__module__}.{kind.__qualname__}"
    tree = capture(run.components, hidden=False)
    if isinstance(component, torch.nn.Module):
        yield from _module(component, tree.sharing, name)
    elif is_optimizer_like(component):
        yield from _optimizer(tree.state[name])
    else:
        yield from ((spell(keys), _live(value)) for keys, value in walk(tree.state[name]))


def _module(module: torch.nn.Module, sharing: Mapping[str, tuple[str, ...]], name: str) -> Iterator[tuple[str, str]]:
    trained = {id(parameter): "parameter" for parameter in module.parameters()}
    kept = set(module.state_dict(keep_vars=True))
    tensors = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    for path, tensor in tensors:
        kind = trained.get(id(tensor), "buffer") + ("" if path in kept else ", not persistent")
        same = sharing.get(f"{name}.{path} object", ())
        tied = f", the same as {same[0]}" if same else ""
        yield path, f"{describe_tensor(tensor)}, {kind}{tied}"
    for path, part in module.named_modules():
        if (number := getattr(part, "_version", None)) not in (None, 1):
            yield spell(("version", Bracketed(path or "itself"))), str(number)
        if type(part).get_extra_state is not torch.nn.Module.get_extra_state:
            yield spell(("extra state", Bracketed(path or "itself"))), "yes"


def _optimizer(state: Any) -> Iterator[tuple[str, str]]:
    groups = state.get("param_groups", []) if isinstance(state, Mapping) else []
    for index, group in enumerate(groups):
        yield f"groups[{index}]", ", ".join(map(str, group.get("params", ())))
        yield f"groups[{index}] settings", ", ".join(sorted(key for key in group if key != "params"))
    for parameter, entries in (state.get("state", {}) if isinstance(state, Mapping) else {}).items():
        yield f"state[{parameter}]", ", ".join(sorted(map(str, entries))) if isinstance(entries, Mapping) else "?"


def _live(value: Any) -> str:
    return describe_tensor(value) if isinstance(value, torch.Tensor) else plain_words(value)

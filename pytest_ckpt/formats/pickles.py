"""What ``pickle`` and the packages with its interface have in common: alone, and inside ``torch.save``."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from pytest_ckpt.formats.protocol import Format, Keeps
from pytest_ckpt.formats.torch_save import torch_copy
from pytest_ckpt.formats.trial import reason_to_refuse, reason_to_refuse_objects

__all__ = ["pickle_formats"]

# Every tensor brings its own storage along, so two views of one become independent.
_ALONE = Keeps.STRIDES | Keeps.REQUIRES_GRAD | Keeps.PARAMETERS | Keeps.SUBCLASSES | Keeps.OBJECTS | Keeps.METADATA
_IN_TORCH = _ALONE | Keeps.SHARING


def pickle_formats(name: str, module: Any) -> Mapping[str, Format]:
    """Return the formats of one package, by name.

    Args:
        name: The package's, with which the formats' names begin.
        module: What ``torch.save`` takes as ``pickle_module``.
    """
    formats = [_alone(name, module, {})]
    formats += [_alone(f"{name}-{protocol}", module, {"protocol": protocol}) for protocol in range(6)]
    formats += [_whole(f"{name}-whole", module)]
    formats += [_in_torch(f"torch+{name}", module, {})]
    formats += [
        _in_torch(f"torch+{name}-{protocol}", module, {"pickle_protocol": protocol}) for protocol in range(1, 6)
    ]
    return MappingProxyType({format.name: format for format in formats})


def _alone(name: str, module: Any, options: Mapping[str, int]) -> Format:
    dump, load, copy = _functions(module, options)
    refuses = partial(reason_to_refuse, name=name, copy=copy)
    return Format(name=name, suffix=".pkl", save=dump, load=load, keeps=_ALONE, refuses=refuses)


def _whole(name: str, module: Any) -> Format:
    dump, load, copy = _functions(module, {})
    refuses = partial(reason_to_refuse_objects, name=name, copy=copy)
    return Format(name=name, suffix=".pkl", save=dump, load=load, keeps=_ALONE, refuses=refuses, whole=True)


def _in_torch(name: str, module: Any, options: Mapping[str, int]) -> Format:
    saving = {"pickle_module": module, **options}
    loading = {"pickle_module": module, "weights_only": False}
    return Format(
        name=name,
        suffix=".pt",
        save=partial(torch.save, **saving),
        load=partial(torch.load, map_location="cpu", **loading),
        keeps=_IN_TORCH,
        refuses=partial(reason_to_refuse, name=name, copy=torch_copy(saving, loading)),
    )


def _functions(
    module: Any, options: Mapping[str, int]
) -> tuple[Callable[[Any, Path], None], Callable[[Path], Any], Callable[[Any], Any]]:
    unpickler = type("Unpickler", (_OnTheCpu, module.Unpickler), {})

    def dump(payload: Any, path: Path) -> None:
        with path.open("wb") as file:
            module.dump(payload, file, **options)

    def load(path: Path) -> Any:
        with path.open("rb") as file:
            return unpickler(file).load()

    def copy(value: Any) -> Any:
        buffer = io.BytesIO()
        module.dump(value, buffer, **options)
        buffer.seek(0)
        return unpickler(buffer).load()

    return dump, load, copy


class _OnTheCpu:
    """Goes before an ``Unpickler``, which has no ``map_location``, so that storages end up on the CPU."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return _load_from_bytes
        return super().find_class(module, name)  # type: ignore[misc]


def _load_from_bytes(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=False)

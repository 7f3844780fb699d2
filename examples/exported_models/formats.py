"""The three as formats of pytest-ckpt: whole, because they take the model itself and not its state dict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from pytest_ckpt.formats import Format, Keeps

from . import exported, torchscript
from .artifact import Artifact

NOTHING_BESIDES_VALUES = Keeps(0)


def model_format(
    name: str,
    suffix: str,
    save: Callable[[nn.Module, Path], None],
    load: Callable[[Path], Artifact],
    left_out: Callable[[nn.Module], list[str]] = lambda model: [],
) -> Format:
    """Return a format that writes one model and reads its weights back out of the file."""

    def save_model(payload: dict[str, Any], path: Path) -> None:
        save(payload["model"], path)

    def load_weights(path: Path) -> dict[str, Any]:
        return {"model": load(path).state}

    def refuse(payload: dict[str, Any]) -> str | None:
        if list(payload) != ["model"]:
            return f"{name} holds one model and nothing else, not {', '.join(payload)}"
        missing = left_out(payload["model"])
        return f"{name} leaves out what the graph does not read: model.{', model.'.join(missing)}" if missing else None

    return Format(
        name=name,
        suffix=suffix,
        save=save_model,
        load=load_weights,
        keeps=NOTHING_BESIDES_VALUES,
        refuses=refuse,
        whole=True,
    )


def model_formats() -> list[Format]:
    formats = [
        model_format("torchscript", ".pt", torchscript.save, torchscript.load),
        model_format("torch-export", ".pt2", exported.save, exported.load),
    ]
    try:
        from . import onnx_file
    except ModuleNotFoundError:  # the tests that need it are skipped
        return formats
    return [*formats, model_format("onnx", ".onnx", onnx_file.save, onnx_file.load, onnx_file.left_out)]

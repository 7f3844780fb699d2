"""Directories of ``torch.distributed.checkpoint``, of one process without a process group."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save, torch_save_to_dcp

from pytest_ckpt.editing.codec import Codec

__all__ = ["CODEC"]


def _read(path: Path) -> Any:
    with _converting() as file:
        dcp_to_torch_save(path, file)
        return torch.load(file, map_location="cpu", weights_only=False)


def _write(content: Any, path: Path) -> None:
    with _converting() as file:
        torch.save(content, file)
        torch_save_to_dcp(file, path)


@contextmanager
def _converting() -> Iterator[Path]:
    """Give torch's own converter a file for one end of its way, and keep quiet about the missing process group."""
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Path(directory) / "content.pt"


CODEC = Codec(name="torch.distributed.checkpoint", read=_read, write=_write)

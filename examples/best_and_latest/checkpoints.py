"""A folder of checkpoints: one for each of the last epochs, stamped with the time, and one for the best."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import torch


class Checkpoints:
    def __init__(self, folder: Path, keep: int = 3) -> None:
        self.folder = folder
        self.keep = keep
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def best(self) -> Path:
        return self.folder / "best.pt"

    def save(self, state: dict[str, Any], *, epoch: int, is_best: bool) -> None:
        """Write the epoch's file, and the best one too if this is it; then let go of the oldest."""
        write(state, self.folder / f"epoch={epoch}-{time.strftime('%Y%m%d-%H%M%S')}.pt")
        if is_best:
            write(state, self.best)
        for path in self.epochs()[: -self.keep]:
            path.unlink()

    def epochs(self) -> list[Path]:
        """The files of single epochs, the oldest first: by number, for by name 10 comes before 9."""
        return sorted(self.folder.glob("epoch=*.pt"), key=epoch_of)

    def latest(self) -> Path:
        if not (epochs := self.epochs()):
            raise FileNotFoundError(f"There is no checkpoint of an epoch in {self.folder}.")
        return epochs[-1]


def epoch_of(path: Path) -> int:
    found = re.match(r"epoch=(\d+)-", path.name)
    if found is None:
        raise ValueError(f"{path.name} is no checkpoint of an epoch")
    return int(found[1])


def write(state: dict[str, Any], path: Path) -> None:
    """Write beside the file and then take its place: after a crash there is the old one or the new one, whole."""
    partial = path.with_name(path.name + ".partial")
    torch.save(state, partial)
    os.replace(partial, path)

"""Damaged checkpoints by the thousand: files of every kind, changed at random from a seed, through all three commands.

``python tests/inspection/fuzzing.py COUNT [SEED]`` runs as many as you like and prints what came of them.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import random
import resource
import shutil
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import dill
import torch
from safetensors.torch import save_file
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.state_dict_saver import save

from pytest_ckpt.cli import main

__all__ = ["Findings", "fuzz", "write_originals"]

_SLOW = 1.0  # seconds of CPU time for the three commands together


@dataclass(slots=True)
class Findings:
    """What came of the damaged files.

    Attributes:
        statuses: How often each command ended with which exit status.
        crashes: Tracebacks, with the number of the file.
        slow: Files that took more than a second, and how long.
        memory: The most memory of the process so far, in megabytes, beyond that at the start.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    memory: float = 0.0


def write_originals(directory: Path) -> list[Path]:
    """Write a small checkpoint of every kind; return files, and one file of each kind in a directory."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    base = torch.arange(6.0)
    payload = {"m": model.state_dict(), "o": [1, 2.5, "x", None, (3, b"yz")], "a": base, "b": base.view(2, 3).T, 7: {1}}
    torch.save(payload, directory / "zip.pt")
    torch.save(model, directory / "whole.pt")
    torch.save(payload, directory / "legacy.pt", _use_new_zipfile_serialization=False)
    save_file(model.state_dict(), directory / "s.safetensors")
    (directory / "j.json").write_text(json.dumps({"a": [1, 2.5, None], "b": {"c": "d"}}))
    (directory / "i.json").write_text(json.dumps({"metadata": {}, "weight_map": {"weight": "s.safetensors", "x": "y"}}))
    for protocol in range(6):
        (directory / f"p{protocol}.pkl").write_bytes(pickle.dumps(payload, protocol=protocol))
    (directory / "d.pkl").write_bytes(dill.dumps({**payload, "f": lambda x: x}))
    save({**model.state_dict(), "n": 3}, storage_writer=FileSystemWriter(directory / "dcp"), no_dist=True)
    return sorted(path for path in directory.rglob("*") if path.is_file())


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one or several changes."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        chance.choice(_CHANGES)(changed, chance)
    return bytes(changed)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _drop(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    del data[start : start + chance.choice((1, 2, 8, 100))]


def _insert(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    data[start:start] = chance.randbytes(chance.choice((1, 2, 8, 100)))


def _copy(data: bytearray, chance: random.Random) -> None:
    start, other, length = (chance.randrange(len(data) + 1) for _ in range(3))
    data[start : start + length % 40] = data[other : other + length % 40]


def _repeat(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    data[start:start] = data[start : start + chance.choice((1, 2, 5, 30))] * chance.choice((2, 10, 300))


def _overwrite(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _flip(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _number(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    number = chance.choice((0, 1, 255, 1 << 16, (1 << 31) - 1, (1 << 32) - 1))
    data[start : start + 4] = struct.pack("<I", number)


def _operation(data: bytearray, chance: random.Random) -> None:
    """Put an operation of a pickle somewhere, which changes more than random bytes do."""
    start = chance.randrange(len(data) + 1)
    data[start:start] = bytes(
        [chance.choice(b"()]}.0012abcdegijlopqrstuRQVX\x80\x81\x85\x86\x87\x88\x8c\x8f\x90\x91\x93\x94")]
    )


_CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_cut, _drop, _insert, _copy, _repeat, _overwrite, _overwrite, _flip, _flip, _number, _operation, _operation),
)


def fuzz(count: int, seed: int, directory: Path) -> Findings:
    """Run the three commands on damaged copies of the originals, which are written into an empty directory."""
    chance, found = random.Random(seed), Findings()
    originals = {path: path.read_bytes() for path in write_originals(directory)}
    start = _memory()
    for number in range(count):
        path, data = chance.choice(list(originals.items()))
        path.write_bytes(damaged(data, chance))
        # What is in a directory is looked at through the directory.
        target = path.parent if path.parent.name == "dcp" else path
        _commands(target, f"file {number} of seed {seed}, from {path.name}", found)
        path.write_bytes(data)
    found.memory = _memory() - start
    return found


def _commands(path: Path, name: str, found: Findings) -> None:
    began = time.process_time()
    for command in (["inspect"], ["scan"], ["diff", str(path.with_name("zip.pt"))]):
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                status = main([*command, str(path)])
            found.statuses[f"{command[0]} {status}"] += 1
        except Exception:
            found.crashes.append(f"{name}\n{traceback.format_exc()}")
    if (taken := time.process_time() - began) > _SLOW:
        found.slow.append(f"{name}: {taken:.1f} s")


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _main() -> None:
    directory = Path(tempfile.mkdtemp())
    began = time.monotonic()
    found = fuzz(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, directory)
    shutil.rmtree(directory)
    print(f"{sys.argv[1]} files, {time.monotonic() - began:.0f} s, {found.memory:.0f} MB more")
    print(dict(sorted(found.statuses.items())))
    print(f"{len(found.crashes)} crashes, {len(found.slow)} slow:", *found.crashes[:5], *found.slow[:5], sep="\n")


if __name__ == "__main__":
    _main()

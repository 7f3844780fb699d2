"""What the tests have called in new processes; each is given what was packed first."""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pytest_ckpt.launchers import is_fresh

COUNT = [0]


def call(thing: Any, **arguments: Any) -> Any:
    return thing(**arguments)


def surroundings(thing: Any) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "fresh": is_fresh(),
        "folder": os.getcwd(),
        "variable": os.environ.get("CKPT_TEST_VARIABLE"),
        "hash seed": os.environ.get("PYTHONHASHSEED"),
        "hash": hash("a string"),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "path": list(sys.path),
        "draws": {"torch": torch.rand(()).item(), "numpy": np.random.random(), "python": random.random()},
    }


def loaded(thing: Any, names: list[str]) -> dict[str, bool]:
    return {name: name in sys.modules for name in names}


def count(thing: Any) -> int:
    COUNT[0] += 1
    return COUNT[0]


def train_on_two_threads(thing: Any) -> float:
    torch.set_num_threads(2)
    model = torch.nn.Linear(512, 512)
    return float(model(torch.ones(512, 512)).sum().abs().clamp(max=1.0))


def read(thing: Any, file: str) -> str:
    if not os.path.exists(file):
        return "no such file"
    return Path(file).read_text(encoding="utf-8")


def open_without_looking(thing: Any, file: str) -> str:
    with open(file, encoding="utf-8") as stream:
        return stream.read()


def fail(thing: Any) -> None:
    print("about to fail")
    raise RuntimeError("no luck")


def leave(thing: Any, code: int) -> None:
    print("leaving", flush=True)
    os._exit(code)


def exit_politely(thing: Any) -> None:
    sys.exit("enough")


def crash(thing: Any) -> None:
    ctypes.string_at(0)


def kill_itself(thing: Any, signal: int) -> None:
    os.kill(os.getpid(), signal)


def hang(thing: Any) -> None:
    time.sleep(600)


def run_out_of_memory(thing: Any) -> int:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
    return len(bytearray(2**40))


def leave_a_process_behind(thing: Any) -> int:
    return subprocess.Popen(["sleep", "600"]).pid


def large(thing: Any, size: int) -> torch.Tensor:
    return torch.arange(size)

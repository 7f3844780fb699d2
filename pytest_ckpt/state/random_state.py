"""The random state of python, numpy, torch and each accelerator, read and written as one mapping."""

from __future__ import annotations

import random
import sys
from array import array
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["get_random_state", "keep_random_state", "seed_everything", "set_random_state"]


def get_random_state() -> dict[str, Any]:
    """Return every global random state as tensors, numbers and strings.

    numpy is left out while nothing has imported it. The values hold no type that
    ``torch.load(weights_only=True)`` refuses, which ``numpy.random.get_state()`` would.
    """
    version, internal, gauss = random.getstate()
    state: dict[str, Any] = {
        "python": {"version": version, "internal": _as_tensor(internal), "gauss": gauss},
        "torch": torch.get_rng_state(),
    }
    if (numpy := sys.modules.get("numpy")) is not None:
        name, keys, position, has_gauss, cached = numpy.random.get_state()
        state["numpy"] = {
            "name": name,
            "keys": torch.from_numpy(keys.astype("int64")),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "cached": float(cached),
        }
    return state | _accelerator_states()


def _accelerator_states() -> dict[str, Any]:
    state: dict[str, Any] = {}
    for kind, module in (("cuda", torch.cuda), ("xpu", torch.xpu)):
        if module.is_available():
            for index in range(module.device_count()):
                state[f"{kind}:{index}"] = module.get_rng_state(index)
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def _as_tensor(numbers: tuple[int, ...]) -> torch.Tensor:
    # On the CPU whatever the default device, and several times faster than torch.tensor(numbers).
    return torch.frombuffer(array("q", numbers), dtype=torch.int64)


def set_random_state(state: dict[str, Any]) -> None:
    """Restore what :func:`get_random_state` returned; keys that are absent, and devices, are left alone."""
    for name, value in state.items():
        if name == "python":
            random.setstate((value["version"], tuple(value["internal"].tolist()), value["gauss"]))
        elif name == "torch":
            torch.set_rng_state(value)
        elif name == "numpy":
            import numpy

            keys = value["keys"].numpy()
            numpy.random.set_state((value["name"], keys, value["position"], value["has_gauss"], value["cached"]))
        elif _is_there(name):
            module = torch.get_device_module(name.partition(":")[0])
            module.set_rng_state(value, *([name] if ":" in name else []))


def _is_there(device: str) -> bool:
    """Whether this machine has a device; the state of one that it lacks belongs to another machine."""
    kind, _, index = device.partition(":")
    if kind == "mps":
        return torch.backends.mps.is_available()
    module = torch.get_device_module(kind)
    # Asked first: without a device, torch.cuda would keep the call until there is one.
    return bool(module.is_available()) and int(index or 0) < int(module.device_count())


def keep_random_state() -> Callable[[], None]:
    """Return a function that puts every global random state back as it is now.

    What it keeps is each library's own form, which takes half as long as one that a file can hold.
    """
    python_state, torch_state, others = random.getstate(), torch.get_rng_state(), _accelerator_states()
    numpy = sys.modules.get("numpy")
    numpy_state = None if numpy is None else numpy.random.get_state(legacy=False)

    def put_back() -> None:
        random.setstate(python_state)
        torch.set_rng_state(torch_state)
        if numpy is not None:
            numpy.random.set_state(numpy_state)
        set_random_state(others)

    return put_back


def seed_everything(seed: int) -> None:
    """Seed python, torch (each accelerator too) and, where it is imported, numpy."""
    random.seed(seed)
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:
        # torch.manual_seed() formats a traceback for each kind of accelerator, which takes longer than all the rest.
        torch.default_generator.manual_seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(seed)

"""The names of torch that no promise covers and the simulation stands on; nothing else of ours imports them.

Where one is missing, :data:`MISSING` says so, and devices are not simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

__all__ = [
    "ENGINE",
    "MISSING",
    "StorageWeakRef",
    "TorchDispatchMode",
    "device_constructors",
    "dynamo_config",
    "no_torch_function",
    "parse_to",
    "unwrap",
]

MISSING: list[str] = []


def _find(path: str) -> Any:
    """Return what a dotted path leads to; where that is gone, note it."""
    module, _, name = path.rpartition(".")
    try:
        found: Any = import_module(module)
    except ImportError:
        found = torch
        for part in module.split(".")[1:]:
            found = getattr(found, part, None)
    if (value := getattr(found, name, None)) is None:
        MISSING.append(path)
    return value


# The function of torch.autograd through which backward() and grad() reach the engine.
ENGINE = "_engine_run_backward"
_find(f"torch.autograd.{ENGINE}")
StorageWeakRef: Any = _find("torch.multiprocessing.reductions.StorageWeakRef")
TorchDispatchMode: Any = _find("torch.utils._python_dispatch.TorchDispatchMode")
device_constructors: Callable[[], Any] = _find("torch.utils._device._device_constructors")
no_torch_function: Any = _find("torch._C.DisableTorchFunction")
parse_to: Callable[..., Any] = _find("torch._C._nn._parse_to")


def unwrap(tensor: torch.Tensor) -> torch.Tensor | None:
    """Return the tensor below a wrapper of ``torch.func``; ``None`` if it wraps nothing."""
    inner: torch.Tensor = _get_unwrapped(tensor) if _is_functorch_wrapped(tensor) else tensor
    return None if inner is tensor else inner


_get_unwrapped: Callable[[torch.Tensor], torch.Tensor] = _find("torch._C._functorch.get_unwrapped")
_is_functorch_wrapped: Callable[[torch.Tensor], bool] = _find("torch._C._functorch.is_functorch_wrapped_tensor")


def dynamo_config() -> Any:
    """Return the settings of ``torch.compile``."""
    return import_module("torch._dynamo").config

"""Global settings of torch that a program finds when it starts and that its results depend on."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["apply_settings", "get_settings"]


def get_settings() -> dict[str, Any]:
    """Return the settings as plain data."""
    return {
        "default_dtype": torch.get_default_dtype(),
        "default_device": str(torch.get_default_device()),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
    }


def apply_settings(settings: dict[str, Any]) -> None:
    """Put what :func:`get_settings` returned into force, on one thread: bits depend on their number."""
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
    torch.set_default_dtype(settings["default_dtype"])
    if settings["default_device"] != str(torch.get_default_device()):
        torch.set_default_device(settings["default_device"])
    enabled, warn_only = settings["deterministic"]
    torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
    torch.set_float32_matmul_precision(settings["matmul_precision"])
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = settings["cudnn"]

"""What a module is beside the values in its state dict."""

from __future__ import annotations

from typing import Any

import torch

from pytest_ckpt.paths import Bracketed
from pytest_ckpt.state.freezing import freeze
from pytest_ckpt.state.members import Members
from pytest_ckpt.state.tensors import is_initialized

__all__ = ["hidden_module_state", "module_traits"]


def module_traits(members: Members) -> dict[str, dict[str, Any]]:
    """Return per parameter, under its first name, its class and ``requires_grad``; torch restores neither."""
    first = {id(parameter): name for name, parameter in reversed(members.parameters)}
    return {
        name: {"requires_grad": parameter.requires_grad, "class": type(parameter).__name__}
        for name, parameter in members.parameters
        if first[id(parameter)] == name
    }


def hidden_module_state(module: torch.nn.Module) -> dict[str, Any]:
    """Return frozen copies of what a module's state dict leaves out and its training may read."""
    hidden: dict[str, Any] = {}
    modes = {Bracketed(name or "itself"): part.training for name, part in module.named_modules()}
    hidden["training"] = modes
    for prefix, part in module.named_modules():
        for name in sorted(part._non_persistent_buffers_set):
            if (buffer := part._buffers.get(name)) is not None:
                hidden[f"{prefix}.{name}" if prefix else name] = freeze(buffer)
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            hidden[f"{name}.grad"] = freeze(parameter.grad)
        if is_initialized(parameter) and parameter.layout is torch.strided and not parameter.is_contiguous():
            hidden[f"{name}.strides"] = list(parameter.stride())
    return hidden

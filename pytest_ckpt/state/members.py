"""The tensors of the modules of a run, by name, found in one walk for everyone who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["Members", "members_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Members:
    """What a module holds; a tensor that has several names is there under each.

    Attributes:
        parameters: Name and parameter.
        buffers: Name and buffer.
    """

    parameters: list[tuple[str, torch.nn.Parameter]]
    buffers: list[tuple[str, torch.Tensor]]


def members_of(components: Mapping[str, Any]) -> dict[str, Members]:
    """Return the members of each component that is a module."""
    return {
        name: Members(
            parameters=list(item.named_parameters(remove_duplicate=False)),
            buffers=list(item.named_buffers(remove_duplicate=False)),
        )
        for name, item in components.items()
        if isinstance(item, torch.nn.Module)
    }

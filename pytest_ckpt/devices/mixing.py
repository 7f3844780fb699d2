"""Whether tensors may meet in one operator, as on real devices; the error is torch's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pytest_ckpt.devices.frames import Frame
from pytest_ckpt.devices.machine import LABELS
from pytest_ckpt.devices.rules import Rule

__all__ = ["agree"]

Tensor = torch.Tensor


def agree(rule: Rule, args: Sequence[Any], kwargs: dict[str, Any], frame: Frame) -> torch.device | None:
    """Return the simulated device of an operator's tensors; ``None`` is the CPU.

    Raises:
        RuntimeError: If they are on different devices, as torch says it.
    """
    labels = LABELS.devices
    found: torch.device | None = None
    plain: list[Tensor] = []
    if kwargs:
        args = [*args, *kwargs.values()]
    for position, argument in enumerate(args):
        if isinstance(argument, Tensor):
            members: Sequence[Any] = (argument,)
        elif isinstance(argument, list | tuple):
            members = argument
        else:
            continue
        if position in rule.host_arguments:
            continue
        for tensor in members:
            if not isinstance(tensor, Tensor):
                continue
            try:
                label = labels.get(tensor.untyped_storage()._cdata)
            except (NotImplementedError, RuntimeError):
                label = LABELS.of(tensor)
            if label is None:
                plain.append(tensor)
            elif found is None:
                found = label
            elif label != found and not _may_differ(rule, tensor, args):
                raise _clash(rule, found, label)
            if rule.crossing:
                return found
    if found is not None and plain:
        _join(rule, args, plain, found, frame)
    return found


def _join(rule: Rule, args: Sequence[Any], plain: list[Tensor], device: torch.device, frame: Frame) -> None:
    """Let CPU tensors go with a simulated device where torch lets them, and raise where it does not."""
    for tensor in plain:
        if frame.holds(tensor) and frame.adopts:
            LABELS.put_tensor(tensor, device)
        elif tensor.dim() == 0 and not rule.strict and not (rule.writes_first and tensor is args[0]):
            continue  # a number
        elif tensor.device.type == "meta" or _may_differ(rule, tensor, args):
            continue
        else:
            raise _clash(rule, device, torch.device("cpu"))


def _may_differ(rule: Rule, tensor: Tensor, args: Sequence[Any]) -> bool:
    """Whether it is an index on the CPU of something on a device."""
    if not rule.indexing or not any(item is tensor for item in args[1]):
        return False
    return LABELS.of(tensor) is None and LABELS.of(args[0]) is not None


def _clash(rule: Rule, first: torch.device, second: torch.device) -> RuntimeError:
    if rule.name == "equal":
        return RuntimeError(f"Cannot compare two tensors on different devices. Got: {first} and {second}")
    one, other = sorted((str(first), str(second)), reverse=True)
    return RuntimeError(
        f"Expected all tensors to be on the same device, but found at least two devices, {one} and {other}! "
        f"(in {rule.name}, on simulated devices)"
    )

"""Which call of torch is running: its helpers, made in C++, know nothing of simulated devices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from pytest_ckpt.devices.machine import LABELS, current
from pytest_ckpt.devices.private import StorageWeakRef

__all__ = ["Frame", "tensors_in"]

# What the engine of autograd and torch's own Python code make outside of any call: only the latest can be in use.
_LOOSE = 4096


class Frame:
    """One call of torch, with the CPU tensors made inside it.

    A tensor that a C++ function makes "like" another comes out on the CPU, because in C++ the other one is there.
    Inside a call with a tensor on a simulated device among its arguments, such a helper may go with any device.
    """

    __slots__ = ("_adopts", "args", "kwargs", "made", "seen")

    def __init__(self, args: Any, kwargs: Any, *, engine: bool = False) -> None:
        self.args, self.kwargs = args, kwargs
        self.made: dict[int, Any] | None = None
        self._adopts: bool | None = True if engine else None
        # The devices that the engine of autograd worked on; only it makes gradients out of nothing.
        self.seen: set[torch.device | None] | None = set() if engine else None

    @property
    def adopts(self) -> bool:
        """Whether the call has a tensor on a simulated device among its arguments."""
        if self._adopts is None:
            given = [*self.args, *(self.kwargs or {}).values()]
            self._adopts = any(LABELS.of(tensor) is not None for tensor in tensors_in(given))
        return self._adopts

    def note(self, result: Any) -> None:
        """Remember what was made on the CPU inside the call."""
        for tensor in tensors_in(result):
            if tensor.layout == torch.strided:
                storage = tensor.untyped_storage()
                if self.made is None:
                    self.made = {}
                elif len(self.made) > _LOOSE:
                    self.made.clear()
                self.made[storage._cdata] = StorageWeakRef(storage)

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor was made inside the call, and on the CPU."""
        if self.made is None or tensor.layout != torch.strided:
            return False
        return tensor.untyped_storage()._cdata in self.made

    def holds_any(self, args: Any) -> bool:
        """Whether one of the arguments of an operator was made inside the call."""
        return self.made is not None and any(self.holds(tensor) for tensor in tensors_in(args))

    def asked_for_cpu(self) -> bool:
        """Whether the call itself says that its result shall be on the CPU."""
        asked = (self.kwargs or {}).get("device")
        return asked is not None and current().resolve(asked) is None

    def settle_gradients(self) -> None:
        """Put the gradients that the engine made out of nothing, zeros, where all others are."""
        if self.made is None or self.seen is None or len(self.seen) != 1 or None in self.seen:
            return
        (device,) = self.seen
        for reference in self.made.values():
            LABELS.put_reference(reference, device)

    def settle(self, result: Any) -> None:
        """Put helpers that a call returns where its arguments are."""
        if not self.adopts or self.asked_for_cpu():
            return
        given = [*self.args, *(self.kwargs or {}).values()]
        device = next(label for tensor in tensors_in(given) if (label := LABELS.of(tensor)) is not None)
        for tensor in tensors_in(result):
            if self.holds(tensor) and LABELS.of(tensor) is None:
                LABELS.put_tensor(tensor, device)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in nested lists, tuples and dictionaries."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)

"""Which simulated device a storage is on: a table beside the storages, which are ordinary CPU memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pytest_ckpt.devices.private import StorageWeakRef, no_torch_function, unwrap

__all__ = ["Labels", "parts"]

FIRST_SWEEP = 4096


class Labels:
    """Storage to its device, by the storage's address.

    A weak reference per entry keeps the address from being given to another storage; attributes on the storage
    itself get lost where torch makes a new Python object for it.
    """

    def __init__(self) -> None:
        self.devices: dict[int, torch.device] = {}
        self._references: dict[int, Any] = {}
        self._limit = FIRST_SWEEP

    def put(self, storage: torch.UntypedStorage, device: torch.device | None) -> None:
        """Say where a storage is; ``None`` is the CPU."""
        key = storage._cdata
        if device is None:
            self.devices.pop(key, None)
            self._references.pop(key, None)
            return
        if key not in self.devices:
            self._references[key] = StorageWeakRef(storage)
        self.devices[key] = device
        if len(self.devices) > self._limit:
            self._sweep()

    def put_tensor(self, tensor: torch.Tensor, device: torch.device | None) -> None:
        """Say where a tensor is, sparse ones with all they consist of."""
        for part in parts(tensor):
            self.put(part.untyped_storage(), device)

    def put_reference(self, reference: Any, device: torch.device | None) -> None:
        """Say where the storage of a weak reference is, if it is still there and nobody has said so."""
        if device is not None and reference.cdata not in self.devices and not reference.expired():
            self._references[reference.cdata] = reference
            self.devices[reference.cdata] = device

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide all labels from code that works on the memory beneath."""
        devices, self.devices = self.devices, {}
        try:
            yield
        finally:
            self.devices = devices

    def of(self, tensor: torch.Tensor) -> torch.device | None:
        """Return the simulated device of a tensor; ``None`` if it is where torch says."""
        try:
            return self.devices.get(tensor.untyped_storage()._cdata)
        except (NotImplementedError, RuntimeError):  # no storage of its own: sparse, or wrapped by torch.func
            found = [self.devices.get(part.untyped_storage()._cdata) for part in parts(tensor)]
            return found[0] if found else None

    def of_storage(self, storage: torch.UntypedStorage) -> torch.device | None:
        """Return the simulated device of a storage; ``None`` if it is where torch says."""
        return self.devices.get(storage._cdata)

    def _sweep(self) -> None:
        for key in [key for key, reference in list(self._references.items()) if reference.expired()]:
            self.devices.pop(key, None)
            self._references.pop(key, None)
        self._limit = max(FIRST_SWEEP, 2 * len(self.devices))


def parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Return the tensors with storages that a tensor consists of: itself, or the members of a sparse one."""
    with no_torch_function():
        if tensor.layout == torch.sparse_coo:
            return [tensor._indices(), tensor._values()]
        if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
            return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
        if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
            return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
        try:
            tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            inner = unwrap(tensor)
            return parts(inner) if inner is not None else []
        return [tensor]

"""``torch.cuda``, ``torch.xpu``, ``torch.mps`` and ``torch.accelerator`` of a machine with simulated devices."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from pytest_ckpt.devices.machine import current, inside
from pytest_ckpt.devices.patching import Patch
from pytest_ckpt.devices.streams import SimulatedEvent, SimulatedStream, StreamContext

__all__ = ["accelerator_patches"]

_MEMORY = 16 * 2**30  # bytes that a simulated device says it has
_INDEXED = ("cuda", "xpu")


def accelerator_patches() -> list[Patch]:
    """Return what is replaced in the modules of the kinds of devices, wherever they hand it around."""
    patches: list[Patch] = []
    for kind in _INDEXED:
        for name, value in _functions(kind).items():
            patches += _everywhere(kind, name, value)
    for name, value in _mps().items():
        patches += _everywhere("mps", name, value)
    patches += _present(torch.backends.mps, "mps", {"is_available": _counts("mps"), "is_built": _counts("mps")})
    patches += _present(torch.backends.cudnn, "cuda", {"is_acceptable": lambda tensor: False})
    for name, value in _accelerator().items():
        if (original := getattr(torch._C, name, None)) is not None:
            chosen = _or_original(lambda: current().accelerator, original, value)
            patches.append(Patch(owner=torch._C, name=name, value=chosen, original=original))
    return patches


def _everywhere(kind: str, name: str, value: Any) -> Iterator[Patch]:
    """Replace an attribute in ``torch.cuda`` and in its submodules that imported it by name."""
    package = getattr(torch, kind)
    original = getattr(package, name, None)
    if original is None:
        return
    below = [module for path, module in sorted(sys.modules.items()) if path.startswith(f"torch.{kind}.")]
    for module in [package, *below]:
        if isinstance(module, ModuleType) and vars(module).get(name) is original:
            yield from _present(module, kind, {name: value})


def _present(module: Any, kind: str, values: dict[str, Any]) -> Iterator[Patch]:
    for name, value in values.items():
        original = getattr(module, name, None)
        if original is None:
            continue
        chosen = value
        if callable(value) and not isinstance(value, type):
            # A world without such devices says so itself; torch may know of real ones.
            condition = inside if name in ("device_count", "is_available", "is_built") else _counts(kind)
            chosen = _or_original(condition, original, value)
        yield Patch(owner=module, name=name, value=chosen, original=original)


def _or_original(condition: Callable[[], Any], original: Any, value: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is the simulated one on a machine that has such devices, else torch's."""

    def function(*args: Any, **options: Any) -> Any:
        return value(*args, **options) if condition() else original(*args, **options)

    return function


def _counts(kind: str) -> Callable[[], bool]:
    return lambda: bool(current().counts.get(kind))


def _index(kind: str, device: Any) -> int:
    """Return the index of a device given as torch takes it; ``None`` is the current one."""
    if isinstance(device, int):
        found = current().resolve(torch.device(kind, device)) if device >= 0 else None
        return -1 if found is None else int(found.index)
    resolved = current().resolve(kind if device is None else device)
    if resolved is None or resolved.type != kind:
        raise ValueError(f"Expected a {kind} device, but got: {device}")
    return int(resolved.index)


def _exchange(kind: str, device: int) -> int:
    if device < 0:
        return -1
    before = current().chosen.get(kind, 0)
    current().chosen[kind] = _index(kind, device)
    return before


def _functions(kind: str) -> dict[str, Any]:
    def nothing(*args: Any, **options: Any) -> None:
        """Do nothing: there is no such device to do it."""

    def properties(device: Any = None) -> Any:
        name = f"simulated {kind}:{_index(kind, device)}"
        return SimpleNamespace(name=name, major=8, minor=0, total_memory=_MEMORY, multi_processor_count=1)

    return {
        "_exchange_device": lambda device: _exchange(kind, device),
        "_is_compiled": lambda: True,
        "_lazy_call": lambda function, **options: function(),
        "_lazy_init": nothing,
        "_maybe_exchange_device": lambda device: _exchange(kind, device),
        "Event": SimulatedEvent,
        "Stream": SimulatedStream,
        "can_device_access_peer": lambda device, peer: _index(kind, device) != _index(kind, peer),
        "current_device": lambda: current().chosen.get(kind, 0),
        "current_stream": lambda device=None: SimulatedStream(torch.device(kind, _index(kind, device))),
        "default_generators": DefaultGenerators(kind),
        "default_stream": lambda device=None: SimulatedStream(torch.device(kind, _index(kind, device))),
        "device_count": lambda: current().counts.get(kind, 0),
        "empty_cache": nothing,
        "get_device_capability": lambda device=None: (8, 0),
        "get_device_name": lambda device=None: properties(device).name,
        "get_device_properties": properties,
        "is_available": _counts(kind),
        "is_bf16_supported": lambda including_emulation=True: True,
        "is_current_stream_capturing": lambda: False,
        "is_initialized": lambda: True,
        "ipc_collect": nothing,
        "mem_get_info": lambda device=None: (_MEMORY, _MEMORY),
        "memory_stats": lambda device=None: {},
        "reset_accumulated_memory_stats": nothing,
        "reset_peak_memory_stats": nothing,
        "set_device": lambda device: _exchange(kind, _index(kind, device)) and None,
        "set_stream": nothing,
        "stream": StreamContext,
        "synchronize": nothing,
    }


def _mps() -> dict[str, Any]:
    def nothing(*args: Any, **options: Any) -> None:
        """Do nothing: there is no such device to do it."""

    def manual_seed(seed: int) -> None:
        current().generator(torch.device("mps", 0)).manual_seed(int(seed))

    return {
        "_get_default_mps_generator": lambda: current().generator(torch.device("mps", 0)),
        "current_allocated_memory": lambda: 0,
        "device_count": lambda: current().counts.get("mps", 0),
        "driver_allocated_memory": lambda: 0,
        "empty_cache": nothing,
        "is_available": _counts("mps"),
        "manual_seed": manual_seed,
        "recommended_max_memory": lambda: _MEMORY,
        "set_per_process_memory_fraction": nothing,
        "synchronize": nothing,
    }


def _accelerator() -> dict[str, Callable[..., Any]]:
    """Return what ``torch.accelerator`` calls, so that its own code runs."""

    def kind() -> str:
        return current().accelerator

    def accelerator() -> torch.device:
        return torch.device(kind())

    def stream(index: int) -> SimulatedStream:
        return SimulatedStream(torch.device(kind(), index))

    return {
        "_accelerator_emptyCache": lambda: None,
        "_accelerator_exchangeDevice": lambda index: _exchange(kind(), index),
        "_accelerator_getAccelerator": accelerator,
        "_accelerator_getDeviceIndex": lambda: current().chosen.get(kind(), 0),
        "_accelerator_getStream": stream,
        "_accelerator_isAllocatorInitialized": lambda: False,
        "_accelerator_maybeExchangeDevice": lambda index: _exchange(kind(), index),
        "_accelerator_setDeviceIndex": lambda index: _exchange(kind(), index) and None,
        "_accelerator_setStream": lambda stream: None,
        "_accelerator_synchronizeDevice": lambda index: None,
        "_get_accelerator": lambda *args: accelerator(),
    }


class DefaultGenerators:
    """Stands for ``torch.cuda.default_generators``: one per device of the machine that is simulated."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __len__(self) -> int:
        return current().counts.get(self.kind, 0)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError("tuple index out of range")
        return current().generator(torch.device(self.kind, index))

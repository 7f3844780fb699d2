"""What tensors and storages say of their device inside a world, and how they get from one to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from pytest_ckpt.devices.machine import LABELS, current
from pytest_ckpt.devices.patching import Patch, method
from pytest_ckpt.devices.private import no_torch_function, parse_to

__all__ = ["device_of", "tensor_patches"]

Tensor: Any = torch.Tensor
Storage: Any = torch.UntypedStorage
_DEVICE = Tensor.device
_STORAGE_DEVICE = Storage.device
CPU = torch.device("cpu")


def device_of(tensor: torch.Tensor) -> torch.device:
    """Return where a tensor is, simulated devices included."""
    with no_torch_function():
        found: torch.device = LABELS.of(tensor) or _DEVICE.__get__(tensor)
        return found


def tensor_patches() -> list[Patch]:
    """Return what is replaced on ``torch.Tensor`` and ``torch.UntypedStorage``."""
    properties = {"device": device_of, "is_cpu": _is("cpu"), "is_cuda": _is("cuda"), "is_xpu": _is("xpu")}
    properties["is_mps"] = _is("mps")
    patches = [
        Patch(owner=Tensor, name=name, value=property(get), original=getattr(Tensor, name))
        for name, get in properties.items()
    ]
    methods: dict[str, Callable[[Any], Any]] = {
        "cpu": lambda original: lambda self, **options: self.to("cpu", **options),
        "cuda": lambda original: _mover("cuda"),
        "get_device": _get_device,
        "new": _fresh,
        "new_tensor": _fresh,
        "numpy": _numpy,
        "pin_memory": _pin_memory,
        "record_stream": lambda original: lambda self, stream: None,
        "to": _to,
        "type": _type,
        "xpu": lambda original: _mover("xpu"),
    }
    patches += [method(Tensor, name, make) for name, make in methods.items()]
    patches.append(method(Storage, "device", lambda _: property(_storage_device)))
    patches.append(method(Storage, "__new__", _new_storage))
    return patches


def _is(kind: str) -> Callable[[Any], bool]:
    return lambda tensor: device_of(tensor).type == kind


def _storage_device(storage: Any) -> torch.device:
    found: torch.device = LABELS.of_storage(storage) or _STORAGE_DEVICE.__get__(storage)
    return found


def _new_storage(original: Any) -> Any:
    def new(cls: Any, *args: Any, device: Any = None, **options: Any) -> Any:
        simulated = None if device is None else current().resolve(device)
        if simulated is None:
            return original(cls, *args, **({} if device is None else {"device": device}), **options)
        made = original(cls, *args, **options)
        LABELS.put(made, simulated)
        return made

    return new


def _get_device(original: Any) -> Any:
    def get_device(self: Any) -> int:
        simulated = LABELS.of(self)
        return int(original(self)) if simulated is None else simulated.index

    return get_device


def _to(original: Any) -> Any:
    def to(self: Any, *args: Any, **options: Any) -> Any:
        other = args[0] if args and isinstance(args[0], torch.Tensor) else options.pop("other", None)
        if other is not None:
            args = (device_of(other), other.dtype, *args[1:])
        copy = options.pop("copy", args[3] if len(args) > 3 else False)
        device, dtype, _, memory_format = parse_to(*args[:3], **options)
        if device is None:  # torch.Tensor.to(dtype, non_blocking, copy)
            return original(self, *args, copy=copy, **options)
        current().require(device)
        source, target = device_of(self), current().resolve(device) or device
        format = {} if memory_format is None else {"memory_format": memory_format}
        if source == target or source.type == target.type in ("cpu", "meta"):
            return original(self, dtype or self.dtype, copy=copy, **format)
        return _carried(self, source, original(self, device=target, dtype=dtype, copy=True, **format))

    return to


def _carried(tensor: Any, source: torch.device, moved: Any) -> Any:
    """Let the gradient of a moved tensor go back to where it came from; in C++ both are on the CPU."""
    if moved.grad_fn is not None and source.type != "meta":
        moved.grad_fn.register_prehook(lambda grads: tuple(g if g is None else g.to(source) for g in grads))
    return moved


def _mover(kind: str) -> Any:
    def move(self: Any, device: Any = None, non_blocking: bool = False, **options: Any) -> Any:
        target = torch.device(kind if device is None else device if isinstance(device, str) else kind)
        if isinstance(device, int):
            target = torch.device(kind, device)
        elif isinstance(device, torch.device):
            target = device
        getattr(torch, kind)._lazy_init()  # raises where the machine has no such device
        return self.to(target, non_blocking=non_blocking, **options)

    return move


def _fresh(original: Any) -> Any:
    """Label what is made for a tensor, on its device unless another one is asked for."""

    def make(self: Any, *args: Any, device: Any = None, requires_grad: bool = False, **options: Any) -> Any:
        target = device_of(self) if device is None else torch.device(device)
        simulated = current().resolve(target)
        made = original(self, *args, **({"device": "cpu"} if device is not None else {}), **options)
        if simulated is not None:
            LABELS.put_tensor(made, simulated)
        return made.requires_grad_() if requires_grad else made

    return make


def _numpy(original: Any) -> Any:
    def numpy(self: Any, *, force: bool = False) -> Any:
        simulated = LABELS.of(self)
        if simulated is not None and not force:
            raise TypeError(
                f"can't convert {simulated} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host "
                "memory first."
            )
        return original(self, force=force)

    return numpy


def _pin_memory(original: Any) -> Any:
    def pin_memory(self: Any, device: Any = None) -> Any:
        simulated = LABELS.of(self)
        if simulated is not None:
            raise RuntimeError(
                f"cannot pin 'torch.{simulated.type}.{self.type().rpartition('.')[2]}' only dense CPU "
                "tensors can be pinned"
            )
        return self.clone() if current().accelerator else original(self)

    return pin_memory


def _type(original: Any) -> Any:
    def type_(self: Any, dtype: Any = None, non_blocking: bool = False, **options: Any) -> Any:
        simulated = LABELS.of(self)
        if dtype is None:
            name = original(self)
            return name if simulated is None else name.replace("torch.", f"torch.{simulated.type}.", 1)
        if isinstance(dtype, torch.dtype):
            return original(self, dtype, non_blocking, **options)
        name = dtype if isinstance(dtype, str) else f"{dtype.__module__}.{dtype.__name__}"
        kind = name.split(".")[1]
        if not current().counts.get(kind):
            return original(self.cpu(), dtype, non_blocking, **options)
        here = self if simulated is not None and simulated.type == kind else self.to(kind)
        return original(here, name.replace(f".{kind}", "", 1), non_blocking, **options)

    return type_

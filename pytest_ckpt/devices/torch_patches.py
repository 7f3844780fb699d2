"""Functions of torch that reach the memory below both modes, and need a word beforehand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from pytest_ckpt.devices.frames import Frame, tensors_in
from pytest_ckpt.devices.machine import LABELS, SimulatedGenerator, current
from pytest_ckpt.devices.modes import HANDLERS, KNOWN, ORIGINALS, Calls, Operators
from pytest_ckpt.devices.patching import Patch, method
from pytest_ckpt.devices.private import ENGINE
from pytest_ckpt.devices.tensor_patches import device_of

__all__ = ["fill_tables", "modes", "torch_patches"]

# They copy their data to the device in C++, where there is none.
_FRESH = ("tensor",)
_PERHAPS_SHARED = ("as_tensor", "asarray")
_OF_PARTS = (
    "sparse_bsc_tensor",
    "sparse_bsr_tensor",
    "sparse_compressed_tensor",
    "sparse_coo_tensor",
    "sparse_csc_tensor",
    "sparse_csr_tensor",
)

_OF_THREAD = threading.local()


def torch_patches() -> list[Patch]:
    """Return what is replaced in ``torch`` itself, and what a thread needs to be in its maker's world."""
    patches = [method(torch, name, _asking_first(_fresh)) for name in _FRESH]
    patches += [method(torch, name, _asking_first(_perhaps_shared)) for name in _PERHAPS_SHARED]
    patches += [method(torch, name, _of_parts) for name in _OF_PARTS]
    patches.append(method(torch, "Generator", lambda _: Generator))
    patches.append(method(torch, "compile", _eager))
    patches += [method(owner, "set_rng_state", _set_rng_state) for owner in (torch, torch.random)]
    patches.append(method(torch._C, "_group_tensors_by_device_and_dtype", _grouped))
    patches.append(method(torch.autograd, ENGINE, _with_mode_on))
    patches.append(method(threading.Thread, "start", _started))
    return patches


def fill_tables(patches: list[Patch]) -> None:
    """Tell the modes which function is whose, and which calls need a word beforehand."""
    for patch in patches:
        if isinstance(patch.value, property):
            continue
        ORIGINALS[patch.value] = patch.original
    for name in (*_FRESH, *_PERHAPS_SHARED, *_OF_PARTS):
        original = getattr(torch, name)
        HANDLERS[original] = _as_handler(next(p.value for p in patches if p.owner is torch and p.name == name))
    grad: Any = torch.Tensor.grad
    HANDLERS[grad.__set__] = _set_grad
    KNOWN.update(ORIGINALS, HANDLERS)


@contextmanager
def modes() -> Iterator[None]:
    """Switch the two modes on for this thread."""
    before = getattr(_OF_THREAD, "calls", None)
    _OF_THREAD.calls = calls = Calls()
    try:
        with Operators(calls), calls:
            yield
    finally:
        _OF_THREAD.calls = before


def _as_handler(replaced: Callable[..., Any]) -> Callable[..., Any]:
    def handler(mode: Calls, func: Any, *args: Any, **options: Any) -> Any:
        return replaced(*args, **options)

    return handler


def _asking_first(make: Callable[..., Any]) -> Callable[[Any], Any]:
    """Find out which device is meant: the one that is given, the default, or that of the data."""

    def patch(original: Any) -> Any:
        def function(data: Any, *args: Any, device: Any = None, **options: Any) -> Any:
            if device is None and not isinstance(data, torch.Tensor):
                device = torch.get_default_device()
            elif device is None:
                device = device_of(data)
            return make(original, current().resolve(device), device, data, *args, **options)

        return function

    return patch


def _fresh(original: Any, simulated: torch.device | None, device: Any, data: Any, **options: Any) -> Any:
    if simulated is None:
        return original(data, device=device, **options)
    wants_gradient = options.pop("requires_grad", False)
    made = original(data, device="cpu", **options)
    LABELS.put_tensor(made, simulated)
    return made.requires_grad_() if wants_gradient else made


def _perhaps_shared(
    original: Any, simulated: torch.device | None, device: Any, data: Any, *args: Any, **options: Any
) -> Any:
    wants_gradient = options.pop("requires_grad", None)
    if isinstance(data, torch.Tensor):
        data = data.to(simulated or device)
        made = original(data, *args, **options)
    else:
        made = original(data, *args, device=device if simulated is None else "cpu", **options)
        made = made if simulated is None else made.to(simulated)
    return made.requires_grad_(wants_gradient) if wants_gradient is not None else made


def _of_parts(original: Any) -> Any:
    """Put the members of a sparse tensor on its device before it is made of them."""

    def function(*args: Any, device: Any = None, **options: Any) -> Any:
        given = [tensor for tensor in tensors_in([args, options]) if LABELS.of(tensor) is not None]
        if device is None and not given:
            return original(*args, **options)
        target = device_of(given[0]) if device is None else device
        simulated = current().resolve(target)
        made = original(*args, device="cpu" if simulated is not None else device, **options)
        if simulated is not None:
            made = made.clone()  # the members given may be on another device, and stay there
            LABELS.put_tensor(made, simulated)
        return made

    return function


def _eager(original: Any) -> Any:
    """Wrap as ``torch.compile`` does, for the names in state dicts, and compile nothing."""

    def compile_(model: Any = None, *, fullgraph: bool = False, dynamic: Any = None, **ignored: Any) -> Any:
        return original(model, fullgraph=fullgraph, dynamic=dynamic, backend="eager")

    return compile_


class _GeneratorKind(type):
    """Makes ``isinstance(x, torch.Generator)`` hold inside a world for what was made outside."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, torch._C.Generator)


class Generator(metaclass=_GeneratorKind):
    """Stands for ``torch.Generator`` inside a world."""

    def __new__(cls, device: Any = "cpu") -> Any:
        """Make a generator of a device, simulated or not."""
        simulated = current().resolve(device)
        if simulated is None:
            return torch._C.Generator(device)
        made = SimulatedGenerator()
        made.simulated_device = simulated
        return made


def _set_rng_state(original: Any) -> Any:
    def set_rng_state(new_state: torch.Tensor) -> None:
        if LABELS.of(new_state) is not None:
            raise TypeError("RNG state must be a torch.ByteTensor")  # word for word what torch says
        original(new_state)

    return set_rng_state


def _grouped(original: Any) -> Any:
    """Split torch's groups of tensors by simulated device; for C++ all of them are on the CPU."""

    def group(lists: Any, with_indices: bool = False) -> Any:
        groups: dict[Any, Any] = {}
        for (_, dtype), (members, indices) in original(lists, True).items():
            for position, tensor in enumerate(members[0]):
                place = groups.setdefault((device_of(tensor), dtype), ([[] for _ in members], []))
                for into, column in zip(place[0], members, strict=True):
                    into.extend(column[position : position + 1])
                place[1].append(indices[position])
        return groups if with_indices else {key: (members, []) for key, (members, _) in groups.items()}

    return group


def _started(original: Any) -> Any:
    """Start a thread inside the world of the thread that starts it: modes hold for one thread only."""

    def start(self: Any) -> None:
        run, machine = self.run, current()

        def run_inside() -> None:
            with modes() if current() is machine else nullcontext():
                run()

        self.run = run_inside
        try:
            original(self)
        finally:
            vars(self).pop("run", None) if not self.is_alive() else None

    return start


def _with_mode_on(original: Any) -> Any:
    """Run the engine of autograd with the mode on, which torch switches off: it calls the program's own code."""

    def run(*args: Any, **options: Any) -> Any:
        mode = getattr(_OF_THREAD, "calls", None)
        if mode is None:
            return original(*args, **options)
        outer = mode.frame
        with mode:
            mode.frame = frame = Frame((), {}, engine=True)
            try:
                return original(*args, **options)
            finally:
                mode.frame = outer
                frame.settle_gradients()

    return run


def _set_grad(mode: Calls, func: Any, tensor: Any, gradient: Any) -> Any:
    """Refuse a gradient on another device, as torch does."""
    if gradient is not None and device_of(gradient) != device_of(tensor):
        raise RuntimeError(
            f"attempting to assign a gradient with device type '{device_of(gradient)}' to a tensor with device type "
            f"'{device_of(tensor)}'. Please ensure that the gradient and the tensor are on the same device"
        )
    return func(tensor, gradient)

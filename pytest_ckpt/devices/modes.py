"""The two modes of a world: one sees each call of torch, one each operator on the memory beneath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from pytest_ckpt.devices.frames import Frame
from pytest_ckpt.devices.machine import LABELS, Machine, current, enter, leave
from pytest_ckpt.devices.mixing import agree
from pytest_ckpt.devices.private import TorchDispatchMode
from pytest_ckpt.devices.rules import RULES, Rule, rule_of

__all__ = ["Calls", "Operators"]

CPU = torch.device("cpu")
Tensor = torch.Tensor
Place = torch.device | None

# A function that a world has replaced, to torch's own; C++ looks functions up by name and hands the replaced one out.
ORIGINALS: dict[Any, Any] = {}
# What a call of torch needs before C++ sees it.
HANDLERS: dict[Any, Callable[..., Any]] = {}
# The keys of both.
KNOWN: set[Any] = set()


class Calls(TorchFunctionMode):
    """Knows which call of torch is running, so that helpers made inside it are told from tensors of the program."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = Frame((), {}, engine=True)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a call of torch, and settle afterwards where it left what it made."""
        if func in KNOWN:  # asked once: this runs at each call of torch, most of which need no word beforehand
            func = ORIGINALS.get(func, func)
            if types and func not in HANDLERS:
                return _as_subclass(func, types, args, kwargs or {})
            handler = HANDLERS.get(func)
            if handler is not None:
                return handler(self, func, *args, **(kwargs or {}))
        outer = self.frame
        self.frame = frame = Frame(args, kwargs)
        try:
            result = func(*args, **kwargs) if kwargs else func(*args)
        finally:
            self.frame = outer
        if frame.made is not None:
            frame.settle(result)
        return result


class Operators(TorchDispatchMode):  # type: ignore[misc]
    """Checks that the tensors of each operator are on one device and says that its results are there too."""

    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self.calls = calls

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # inside a world nothing is compiled, and asking costs time at each operator

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator on the CPU memory beneath simulated devices."""
        rule = RULES.get(func) or rule_of(func)
        frame = self.calls.frame
        kwargs = kwargs or {}
        if rule.each:
            return self._each(rule, func, args, kwargs)
        device = agree(rule, args, kwargs, frame)
        placed = "device" in kwargs
        if placed:
            device, kwargs = self._placed(device, kwargs)
        if kwargs.get("pin_memory"):
            kwargs = {**kwargs, "pin_memory": False}
        if rule.foreign:
            result = _beneath(func, args, kwargs)
        elif device is not None and rule.random:
            result = _drawing(func, args, kwargs, device, frame)
        else:
            result = func(*args, **kwargs)
        if rule.crossing:
            return result
        if device is not None:
            _label(result, device, rule)
        elif rule.factory or frame.holds_any(args):
            frame.note(result)
            return result
        if frame.seen is not None:
            frame.seen.add(device)
        return result

    def _placed(self, device: Place, kwargs: dict[str, Any]) -> tuple[Place, dict[str, Any]]:
        """Return where an operator with a parameter ``device`` puts its result, and what to call it with."""
        asked = kwargs["device"]
        if asked is None:
            return device, kwargs
        simulated = current().resolve(asked)
        if simulated is not None:
            return simulated, {**kwargs, "device": CPU}
        if asked.type != "cpu" or self.calls.frame.asked_for_cpu():
            current().require(asked)
            return None, kwargs
        # The options of a tensor in C++: it has never heard of the simulated device.
        return device, kwargs

    def _each(self, rule: Rule, func: Any, args: Any, kwargs: Any) -> Any:
        """Run an operator on lists of tensors, each of whose positions may be on another device."""
        lists = [arg for arg in args if isinstance(arg, list | tuple)]
        length = max((len(item) for item in lists), default=0)
        single = [arg for arg in args if isinstance(arg, Tensor)]
        devices = [
            agree(rule, [*(item[i] for item in lists if i < len(item)), *single], {}, self.calls.frame)
            for i in range(length)
        ]
        result = func(*args, **kwargs)
        if not rule.crossing and isinstance(result, list | tuple):
            for item, device in zip(result, devices, strict=False):
                if device is not None:
                    _label(item, device, rule)
        return result


def _as_subclass(func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Ask the subclasses of tensor among the arguments: they know torch's function, not the one in its place."""
    for argument in args:
        if type(argument) in types:
            result = argument.__torch_function__(func, types, args, kwargs)
            if result is not NotImplemented:
                return result
    return func(*args, **kwargs)


def _label(result: Any, device: torch.device, rule: Rule) -> None:
    if isinstance(result, Tensor):
        try:
            storage = result.untyped_storage()
        except (NotImplementedError, RuntimeError):
            LABELS.put_tensor(result, device)
            return
        if storage._cdata not in LABELS.devices:
            LABELS.put(storage, device)
    elif isinstance(result, list | tuple):
        for position, item in enumerate(result):
            if position not in rule.host_results:
                _label(item, device, rule)


def _beneath(func: Any, args: Any, kwargs: Any) -> Any:
    """Run an operator written in Python, which asks its tensors for their device, on what they are made of."""
    nowhere = Machine(counts={})
    enter(nowhere)
    try:
        with LABELS.hidden():
            return func(*args, **kwargs)
    finally:
        leave(nowhere)


def _drawing(func: Any, args: Any, kwargs: Any, device: torch.device, frame: Frame) -> Any:
    """Run an operator that draws from the random generator of a simulated device."""
    given = kwargs.get("generator")
    if given is not None:
        own = frame.kwargs.get("generator", given) if frame.kwargs else given
        if own.device.type != device.type:
            raise RuntimeError(f"Expected a '{device.type}' device type for generator but found '{own.device.type}'")
        return func(*args, **kwargs)
    host, generator = torch.default_generator, current().generator(device)
    before = host.get_state()
    host.set_state(generator.get_state())
    try:
        return func(*args, **kwargs)
    finally:
        generator.set_state(host.get_state())
        host.set_state(before)

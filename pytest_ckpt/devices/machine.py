"""The machine that is simulated: how many devices of each kind, which is current, and their random state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from pytest_ckpt.devices.labels import Labels

__all__ = ["KINDS", "LABELS", "Machine", "SimulatedGenerator", "current", "enter", "inside", "leave"]

# The kinds that can be simulated; an index says nothing on Apple's machines, which have one device.
KINDS = ("cuda", "mps", "xpu")

# One table for all worlds: a tensor keeps its device when a world is left and entered again.
LABELS = Labels()

CGenerator: Any = torch._C.Generator


class SimulatedGenerator(CGenerator):  # type: ignore[misc]
    """A random generator of a simulated device; its numbers are those of a CPU generator."""

    simulated_device: torch.device

    @property
    def device(self) -> torch.device:
        """The simulated device it belongs to."""
        return self.simulated_device

    def set_state(self, state: torch.Tensor) -> Any:
        """Set the state, which must be on the CPU, as on a real device."""
        if LABELS.of(state) is not None:
            raise TypeError("RNG state must be a torch.ByteTensor")  # word for word what torch says
        return super().set_state(state)


@dataclass(slots=True)
class Machine:
    """A machine with simulated devices.

    Attributes:
        counts: How many devices of each kind; a kind that is absent does not exist here.
        chosen: The current device of each kind.
        generators: The default random generators made so far.
    """

    counts: dict[str, int]
    chosen: dict[str, int] = field(default_factory=dict)
    generators: dict[torch.device, SimulatedGenerator] = field(default_factory=dict)
    resolved: dict[Any, torch.device | None] = field(default_factory=dict)

    def resolve(self, device: Any) -> torch.device | None:
        """Return the simulated device that a device, its name or an index means; ``None`` for any other device.

        Raises:
            RuntimeError: If the machine has no device of that index.
        """
        if isinstance(device, int):
            kind = self.accelerator
            device = torch.device(kind, device) if kind else torch.device("cpu")
        elif not isinstance(device, torch.device):
            device = torch.device(device)
        count = self.counts.get(device.type, 0)
        if not count:
            return None
        index = self.chosen.get(device.type, 0) if device.index is None else device.index
        if index >= count:
            raise RuntimeError(
                f"{device.type.upper()} error: invalid device ordinal\n"
                f"{device} is none of the {count} simulated {device.type} device{'s' * (count != 1)} of this machine."
            )
        return torch.device(device.type, index)

    def require(self, device: torch.device) -> None:
        """Raise as torch does if a device is of a kind that this machine does not have."""
        if device.type in ("cuda", "xpu") and not self.counts.get(device.type):
            getattr(torch, device.type)._lazy_init()

    @property
    def accelerator(self) -> str:
        """The kind that ``torch.accelerator`` speaks of; empty if there is none."""
        return next(iter(self.counts), "")

    def generator(self, device: torch.device) -> SimulatedGenerator:
        """Return the default random generator of a simulated device."""
        if device not in self.generators:
            self.generators[device] = made = SimulatedGenerator()
            made.simulated_device = device
        return self.generators[device]


_ENTERED: list[Machine] = []
_NONE = Machine(counts={})


def current() -> Machine:
    """Return the machine of the innermost world; outside of all, one without simulated devices."""
    return _ENTERED[-1] if _ENTERED else _NONE


def inside() -> bool:
    """Whether any world has been entered."""
    return bool(_ENTERED)


def enter(machine: Machine) -> None:
    """Make a machine the current one."""
    _ENTERED.append(machine)


def leave(machine: Machine) -> None:
    """Go back to the machine that was current before."""
    _ENTERED.remove(machine)

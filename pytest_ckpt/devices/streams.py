"""Streams and events of simulated devices: everything is done when it is asked for, so they have nothing to do."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["SimulatedEvent", "SimulatedStream", "StreamContext"]


class SimulatedStream:
    """Stands for a stream of a simulated device."""

    def __init__(self, device: Any = None, priority: int = 0, **options: Any) -> None:
        self.device, self.priority = device, priority
        self.stream_id = self.cuda_stream = 0

    def __enter__(self) -> SimulatedStream:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the stream; nothing is waiting in it."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SimulatedStream) and self.device == other.device

    def __hash__(self) -> int:
        return hash(str(self.device))

    def is_capturing(self) -> bool:
        """Return whether a graph is being captured; none ever is."""
        return False

    def query(self) -> bool:
        """Return whether all work is done; it always is."""
        return True

    def record_event(self, event: Any = None) -> Any:
        """Record an event, a new one if none is given."""
        event = event or SimulatedEvent()
        event.record(self)
        return event

    def synchronize(self) -> None:
        """Wait for nothing."""

    def wait_event(self, event: Any) -> None:
        """Wait for nothing."""

    def wait_stream(self, stream: Any) -> None:
        """Wait for nothing."""


class SimulatedEvent:
    """Stands for an event of a simulated device; the time it takes down is the CPU's."""

    def __init__(self, enable_timing: bool = False, **options: Any) -> None:
        self.at = 0.0

    def elapsed_time(self, end: SimulatedEvent) -> float:
        """Return the milliseconds between two events."""
        return (end.at - self.at) * 1e3

    def query(self) -> bool:
        """Return whether all work is done; it always is."""
        return True

    def record(self, stream: Any = None) -> None:
        """Take the time down."""
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        """Wait for nothing."""

    def wait(self, stream: Any = None) -> None:
        """Wait for nothing."""


class StreamContext:
    """Stands for ``torch.cuda.stream``."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        """Select a stream, of which there is one."""

    def __exit__(self, *error: object) -> None:
        """Go back to the stream before."""

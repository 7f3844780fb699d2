"""Which differences are losses."""

from __future__ import annotations

from collections.abc import Container, Iterable

from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.state import StateTree
from pytest_ckpt.trips import Trip

__all__ = ["concerns_schedule", "concerns_training", "hard", "is_hard", "lost_state"]

# Bookkeeping of torch's schedulers that no learning rate depends on: `_step_count` only decides whether a
# warning about the order of calls is given (torch.optim.lr_scheduler.LRScheduler.step).
_BOOKKEEPING = ("._step_count", "._get_lr_called_within_step", "._is_initial", ".verbose")


def is_hard(mismatch: Mismatch) -> bool:
    """Whether a difference is a loss.

    A list for a tuple, or 1 for 1.0, as JSON brings them back, is none by itself; where training depends
    on it, the resumed run shows it.
    """
    return mismatch.kind not in ("container type", "number type") and not mismatch.path.endswith(_BOOKKEEPING)


def lost_state(trip: Trip, unstable: Container[str] = ()) -> tuple[Mismatch, ...]:
    """Return what a trip lost of the state.

    A number or a string that training puts right before anything depends on it, such as a learning rate
    that every step computes anew, is not lost; nor is one that no two runs share, such as a run's id.
    """
    return tuple(m for m in hard(trip.restored) if m.tensor or not (m.path in trip.healed or m.path in unstable))


def hard(mismatches: Iterable[Mismatch]) -> tuple[Mismatch, ...]:
    """Return the differences that are losses."""
    return tuple(mismatch for mismatch in mismatches if is_hard(mismatch))


def concerns_schedule(mismatches: Iterable[Mismatch]) -> bool:
    """Whether a learning rate, or what a schedule computes it from, is among the differences."""
    return any(m.path.startswith("lr.") or m.path.endswith(_OF_A_SCHEDULE) for m in mismatches)


_OF_A_SCHEDULE = (".lr", ".initial_lr", ".last_epoch", ".momentum", ".betas[0]")


def concerns_training(unstable: Iterable[Mismatch], end: StateTree) -> bool:
    """Whether it is the training that two runs that never stopped do not share.

    It is when a parameter differs, or, in a run without modules, any tensor. A result or a buffer
    may hold the time; when there is nothing else to go by, it decides.
    """
    found = list(unstable)
    tensors = [m.path for m in found if m.tensor and not m.path.startswith("output")]
    if parameters := {f"{name}.{key}" for name, traits in end.traits.items() for key in traits}:
        return any(path in parameters for path in tensors)
    return bool(tensors) or any(m.path.startswith("output") for m in found)

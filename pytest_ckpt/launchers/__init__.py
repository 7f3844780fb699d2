"""Which process a call runs in: a new one that has never seen the objects of this one."""

from pytest_ckpt.launchers.fresh import (
    Replies,
    Reply,
    Surroundings,
    Task,
    call_in_fresh_processes,
    can_fork,
    is_fresh,
    surroundings,
    warm_up,
)
from pytest_ckpt.launchers.travel import CannotTravel, Package, pack
from pytest_ckpt.launchers.wire import as_plain_data, decode, encode

__all__ = [
    "CannotTravel",
    "Package",
    "Replies",
    "Reply",
    "Surroundings",
    "Task",
    "as_plain_data",
    "call_in_fresh_processes",
    "can_fork",
    "decode",
    "encode",
    "is_fresh",
    "pack",
    "surroundings",
    "warm_up",
]

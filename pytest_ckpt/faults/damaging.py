"""What is loaded has other values than what was saved."""

from __future__ import annotations

import itertools

import torch

from pytest_ckpt.comparison import compare
from pytest_ckpt.faults.fault import Fault
from pytest_ckpt.faults.parts import optimizers, tensors, tensors_of_state
from pytest_ckpt.faults.trying import fault_of_load
from pytest_ckpt.runs import LiveRun

__all__ = ["DAMAGING", "round_weights"]


def _swap_two_tensors(run: LiveRun, noted: object) -> None:
    for (_, one), (_, other) in itertools.combinations(tensors(run), 2):
        if (one.shape, one.dtype) == (other.shape, other.dtype) and not torch.equal(one, other):
            kept = one.clone()
            one.copy_(other)
            other.copy_(kept)
            return


def round_weights(run: LiveRun, noted: object) -> None:
    """Pass the values of every module through bfloat16."""
    for _, tensor in tensors(run):
        tensor.copy_(tensor.bfloat16())


def _zero_optimizer_state(run: LiveRun, noted: object) -> None:
    for tensor in tensors_of_state(run):
        tensor.zero_()


def _reorder_optimizer_state(run: LiveRun, noted: object) -> None:
    for optimizer in optimizers(run):
        for one, other in itertools.combinations(optimizer.state, 2):
            states = optimizer.state[one], optimizer.state[other]
            if one.shape == other.shape and compare(*states, traits=False):
                optimizer.state[other], optimizer.state[one] = states
                return


def _miscount_optimizer_steps(run: LiveRun, noted: object) -> None:
    for optimizer in optimizers(run):
        for state in optimizer.state.values():
            if "step" in state:
                state["step"] = state["step"] + 1


DAMAGING: tuple[Fault, ...] = (
    fault_of_load(
        "swap_two_tensors",
        "Two tensors of one shape are written under each other's name.",
        ("state_is_restored", "resume_is_exact"),
        after=_swap_two_tensors,
        otherwise="No two tensors of a module have one shape and different values.",
    ),
    fault_of_load(
        "cast_to_half",
        "The checkpoint is written in half precision to save space, and load casts it back.",
        ("state_is_restored", "resume_is_exact"),
        after=round_weights,
        otherwise="No tensor of a module loses precision in bfloat16.",
    ),
    fault_of_load(
        "zero_optimizer_state",
        "The optimizer is built again after load, so its moments start from zero.",
        ("state_is_restored", "resume_is_exact"),
        after=_zero_optimizer_state,
        otherwise="No optimizer keeps tensors that the training depends on.",
    ),
    fault_of_load(
        "reorder_optimizer_state",
        "Parameters are handed to the optimizer in another order, and its state is matched by position.",
        ("state_is_restored", "resume_is_exact"),
        after=_reorder_optimizer_state,
        otherwise="No optimizer keeps different state for two parameters of one shape.",
    ),
    fault_of_load(
        "miscount_optimizer_steps",
        "The optimizer's count of steps is one ahead after load, so its bias correction is another.",
        ("state_is_restored",),
        after=_miscount_optimizer_steps,
        otherwise="No optimizer counts its steps by parameter.",
    ),
)

"""A seed for a block, and the random state as it was before behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pytest_ckpt.state.random_state import get_random_state, seed_everything, set_random_state

__all__ = ["seeded"]


@contextmanager
def seeded(seed: int, *, torch_only: bool = False) -> Iterator[None]:
    """Run the block under a seed and restore the global random state behind it.

    Args:
        seed: The seed of python, numpy, torch and each accelerator.
        torch_only: Whether the block is known to draw from torch alone. It takes longer to read the random
            states of python and numpy than to build a small module.
    """
    if torch_only and not torch.accelerator.is_available():
        state = torch.get_rng_state()
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_rng_state(state)
        return
    before = get_random_state()
    seed_everything(seed)
    try:
        yield
    finally:
        set_random_state(before)

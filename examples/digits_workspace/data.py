"""The digits, their order and their augmentation, and the random state that both draw from."""

from __future__ import annotations

import functools
import random
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor


@functools.cache
def digits() -> tuple[Tensor, Tensor]:
    """All 1797 images, (N, 1, 8, 8) in [0, 1], and their labels; they come with scikit-learn."""
    bunch = load_digits()
    images = torch.from_numpy(bunch.images).float().unsqueeze(1) / 16
    return images, torch.from_numpy(bunch.target).long()


def augment(images: Tensor, max_shift: int, noise: float) -> Tensor:
    """Shift and brighten the batch and add noise: one draw from each of the three generators."""
    shift = np.random.randint(-max_shift, max_shift + 1, size=2).tolist()
    bright = random.uniform(0.8, 1.2) * images.roll(shift, dims=(2, 3))
    return bright + noise * torch.randn_like(images)


class ShuffledBatches:
    """Endless batches of indices, shuffled anew in each epoch; it can stop in the middle of one."""

    def __init__(self, size: int, batch_size: int) -> None:
        self.batch_size = batch_size
        self.epoch = 0
        self.position = 0
        self.order = torch.randperm(size)

    @property
    def epoch_ends(self) -> bool:
        return self.position + self.batch_size > len(self.order)

    def next_batch(self) -> Tensor:
        if self.epoch_ends:
            self.epoch += 1
            self.position = 0
            self.order = torch.randperm(len(self.order))
        batch = self.order[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        return batch

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "position": self.position, "order": self.order}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch = state["epoch"]
        self.position = state["position"]
        self.order = state["order"]


class RandomState:
    """The global generators of Python, NumPy and torch, saved and restored like any other component."""

    def state_dict(self) -> dict[str, Any]:
        name, keys, *rest = np.random.get_state()
        return {
            "python": random.getstate(),
            "numpy": (name, torch.from_numpy(np.array(keys)), *rest),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        name, keys, *rest = state["numpy"]
        random.setstate(state["python"])
        np.random.set_state((name, keys.numpy(), *rest))
        torch.set_rng_state(state["torch"])
        torch.cuda.set_rng_state_all(state["cuda"])

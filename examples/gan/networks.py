"""The two players, small enough for 8x8 digits."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

NOISE = 16


def make_generator() -> nn.Sequential:
    """From noise to an image in [-1, 1]; batch norm, so that it keeps running statistics."""
    return nn.Sequential(
        nn.Linear(NOISE, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Linear(64, 64),
        nn.Tanh(),
        nn.Unflatten(1, (1, 8, 8)),
    )


def make_discriminator() -> nn.Sequential:
    """From an image to a score; spectral norm goes on with the vectors it has found so far, which are buffers."""
    return nn.Sequential(
        nn.Flatten(),
        spectral_norm(nn.Linear(64, 64)),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.2),
        spectral_norm(nn.Linear(64, 1)),
    )

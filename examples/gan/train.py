"""Two networks that learn from each other: each is worth little in a checkpoint without the other one's whole state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from .networks import NOISE, make_discriminator, make_generator


def load_images() -> Tensor:
    """All 1797 digits, (N, 1, 8, 8) in [-1, 1]; they come with scikit-learn."""
    return torch.from_numpy(load_digits().images).float().unsqueeze(1) / 8 - 1


class Gan:
    """Trains both networks in turn, on the hinge loss."""

    def __init__(self, batch_size: int = 32) -> None:
        self.images = load_images()
        self.batch_size = batch_size
        self.generator = make_generator()
        self.discriminator = make_discriminator()
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), lr=2e-3, betas=(0.0, 0.9))
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=4e-3, betas=(0.0, 0.9))
        # Always the same noise, so that the samples of two checkpoints can be laid side by side.
        self.fixed_noise = torch.randn(8, NOISE)

    def parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    def train_step(self, i: int) -> dict[str, float]:
        real = self.images[torch.randint(len(self.images), (self.batch_size,))]
        fake = self.generator(torch.randn(self.batch_size, NOISE))

        scores = self.discriminator(torch.cat([real, fake.detach()])).chunk(2)
        discriminator_loss = nn.functional.relu(1 - scores[0]).mean() + nn.functional.relu(1 + scores[1]).mean()
        self.discriminator_optimizer.zero_grad()
        discriminator_loss.backward()
        self.discriminator_optimizer.step()

        generator_loss = -self.discriminator(fake).mean()
        self.generator_optimizer.zero_grad()
        generator_loss.backward()
        self.generator_optimizer.step()
        return {"discriminator": discriminator_loss.item(), "generator": generator_loss.item()}

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Eight digits, drawn from the fixed noise; the generator trains on afterwards."""
        self.generator.eval()
        images: Tensor = self.generator(self.fixed_noise)
        self.generator.train()
        return images

    def save(self, path: Path) -> None:
        checkpoint = {name: part.state_dict() for name, part in self.parts().items()}
        checkpoint |= {"fixed_noise": self.fixed_noise, "samples": self.samples(), "random": torch.get_rng_state()}
        torch.save(checkpoint, path)

    def load(self, path: Path) -> None:
        checkpoint = torch.load(path)
        for name, part in self.parts().items():
            part.load_state_dict(checkpoint[name])
        self.fixed_noise = checkpoint["fixed_noise"]
        torch.set_rng_state(checkpoint["random"])

"""Diffusion noise comes from a torch.Generator of its own; only the global random state is checkpointed.

https://github.com/huggingface/accelerate/issues/4195, https://github.com/huggingface/accelerate/pull/4203 (a sampler's own
generator was not serialised)
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The private generator's state is not saved; noise and timesteps of step 0 are drawn again."
NAMES = ["generator", "noise", "rng"]


class Denoiser:
    def __init__(self, seed=1337):
        self.noise_generator = torch.Generator().manual_seed(seed)
        self.clean = torch.linspace(-2, 2, 6 * 8 * 4).view(6, 8, 4).sin()
        self.net = nn.Sequential(nn.Linear(5, 24), nn.SiLU(), nn.Linear(24, 4))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=5e-3)

    def training_step(self, i):
        x = self.clean[i]
        t = torch.rand(8, 1, generator=self.noise_generator)
        noise = torch.randn(8, 4, generator=self.noise_generator)
        noisy = (1 - t).sqrt() * x + t.sqrt() * noise
        loss = (self.net(torch.cat([noisy, t], 1)) - noise).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def state(self):
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
        }

    def restore(self, state):
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        if "noise_generator" in state:
            self.noise_generator.set_state(state["noise_generator"])


def make_run(fixed):
    d = Denoiser()

    def save(path):
        extra = {"noise_generator": d.noise_generator.get_state()} if fixed else {}
        torch.save(d.state() | extra, path)

    parts = {"net": d.net, "optimizer": d.optimizer}
    return TrainingRun(parts, d.training_step, save, lambda path: d.restore(torch.load(path)))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

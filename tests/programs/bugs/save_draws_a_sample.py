"""save() also writes a sample image drawn from the global generator (diffusers-style validation at each checkpoint)."""
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "save() draws a preview with torch.randn after it wrote the random state, so the live run goes on with other noise than a resumed one."
NAMES = ["rng", "random"]


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 4), nn.Linear(2, 6)

    def forward(self, x):
        mean, logvar = self.enc(x).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (0.5 * logvar).exp()
        kl = -0.5 * (1 + logvar - mean**2 - logvar.exp()).mean()
        return self.dec(z), kl

    def sample(self, n, generator=None):
        with torch.no_grad():
            return self.dec(torch.randn(n, 2, generator=generator))


class Pipeline:
    def __init__(self, private_generator):
        self.private_generator = private_generator
        self.vae = VAE()
        self.optimizer = torch.optim.Adam(self.vae.parameters(), lr=5e-3)
        self.x = torch.randn(6, 16, 6, generator=torch.Generator().manual_seed(512))

    def step(self, i):
        recon, kl = self.vae(self.x[i])
        loss = nn.functional.mse_loss(recon, self.x[i]) + 0.1 * kl
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        state = {"vae": self.vae.state_dict(), "optimizer": self.optimizer.state_dict(), "rng_state": torch.get_rng_state()}
        torch.save(state, os.path.join(folder, "state.pt"))
        generator = torch.Generator().manual_seed(0) if self.private_generator else None
        torch.save(self.vae.sample(4, generator), os.path.join(folder, "preview.pt"))

    def load(self, folder):
        state = torch.load(os.path.join(folder, "state.pt"))
        self.vae.load_state_dict(state["vae"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng_state"])


def make_run(fixed):
    p = Pipeline(private_generator=fixed)
    return TrainingRun(components={"vae": p.vae, "optimizer": p.optimizer}, step=p.step, save=p.save, load=p.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

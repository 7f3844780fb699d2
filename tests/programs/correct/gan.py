"""A small GAN: two networks, two optimizers, noise from a generator that is saved."""
import torch
from torch import nn
from torch.nn import functional as F

from pytest_ckpt import TrainingRun


class GAN:
    def __init__(self):
        self.G = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
        self.D = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
        self.opt_G = torch.optim.Adam(self.G.parameters(), lr=2e-3, betas=(0.5, 0.999))
        self.opt_D = torch.optim.Adam(self.D.parameters(), lr=2e-3, betas=(0.5, 0.999))
        self.noise = torch.Generator().manual_seed(0)
        self.fixed_z = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))

    def step(self, i):
        angle = torch.rand(16, generator=self.noise) * 6.283
        real = torch.stack([angle.cos(), angle.sin()], 1)
        z = torch.randn(16, 3, generator=self.noise)
        fake = self.G(z)
        d_loss = F.softplus(-self.D(real)).mean() + F.softplus(self.D(fake.detach())).mean()
        self.opt_D.zero_grad()
        d_loss.backward()
        self.opt_D.step()
        g_loss = F.softplus(-self.D(fake)).mean()  # leaves gradients in D
        self.opt_G.zero_grad()
        g_loss.backward()
        self.opt_G.step()
        return d_loss.item(), g_loss.item()

    def sample(self):
        training = self.G.training
        self.G.eval()
        with torch.no_grad():
            out = self.G(self.fixed_z)
        self.G.train(training)
        return out

    PARTS = ("G", "D", "opt_G", "opt_D")

    def save(self, path):
        state = {p: getattr(self, p).state_dict() for p in self.PARTS}
        torch.save({**state, "noise": self.noise.get_state(), "samples": self.sample()}, path)

    def load(self, path):
        state = torch.load(path)
        for p in self.PARTS:
            getattr(self, p).load_state_dict(state[p])
        self.noise.set_state(state["noise"])


def make_run():
    g = GAN()
    return TrainingRun(components={p: getattr(g, p) for p in GAN.PARTS}, step=g.step, save=g.save, load=g.load,
                       predict=g.sample)

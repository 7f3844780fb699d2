"""load() builds model and optimizer anew from the saved configuration (which draws random numbers), and puts the
random state back as the last thing."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class VAE(nn.Module):
    def __init__(self, n, latent):
        super().__init__()
        self.enc, self.dec = nn.Linear(n, 2 * latent), nn.Linear(latent, n)

    def forward(self, x):
        mu, logvar = self.enc(x).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (logvar / 2).exp()
        kl = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum(1).mean()
        return (self.dec(z) - x).pow(2).sum(1).mean(), kl


class Experiment:
    def __init__(self, **config):
        self.config = config
        self.build()

    def build(self):
        self.model = VAE(self.config["n"], self.config["latent"])
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=self.config["lr"])
        self.beta = 0.0

    def step(self, i):
        rec, kl = self.model(torch.arange(20.0).view(4, 5).add(i).cos())
        loss = rec + self.beta * kl
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.beta = min(1.0, self.beta + 0.2)
        return {"loss": loss.item(), "kl": kl.item(), "beta": self.beta}

    def save(self, path):
        torch.save({"config": self.config, "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "beta": self.beta, "rng": torch.get_rng_state()}, path)

    def load(self, path):
        s = torch.load(path)
        self.config = s["config"]
        self.build()
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        self.beta = s["beta"]
        torch.set_rng_state(s["rng"])

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer}


def make_run():
    e = Experiment(n=5, latent=2, lr=1e-2)
    return TrainingRun(components=e.components, step=e.step, save=e.save, load=e.load)

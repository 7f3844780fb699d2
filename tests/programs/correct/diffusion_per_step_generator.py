"""Denoising diffusion; noise and times come from a generator made for the step, EMA weights kept by hand."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 2))
        betas = torch.linspace(1e-3, 0.2, 10)
        self.register_buffer("alpha_bar", (1 - betas).cumprod(0), persistent=False)

    def forward(self, x, t):
        return self.net(torch.cat([x, t[:, None] / 10], 1))


class Trainer:
    def __init__(self):
        self.model = Denoiser()
        self.ema = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def step(self, i):
        g = torch.Generator().manual_seed(77_000 + i)
        x = torch.randn(12, 2, generator=g).sign()
        t = torch.randint(10, (12,), generator=g)
        noise = torch.randn(12, 2, generator=g)
        a = self.model.alpha_bar[t][:, None]
        loss = (self.model(a.sqrt() * x + (1 - a).sqrt() * noise, t) - noise).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        for k, v in self.model.state_dict().items():
            self.ema[k].lerp_(v, 0.05)
        return {"loss": loss.item(), "ema": sum(v.double().sum().item() for v in self.ema.values())}

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "ema": self.ema, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        self.ema = s["ema"]


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)

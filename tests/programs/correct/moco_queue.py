"""Contrastive learning: momentum encoder, a queue of keys and a pointer in buffers; views drawn with saved state."""
import copy

import torch
from torch import nn
from torch.nn import functional as F

from pytest_ckpt import TrainingRun


class MoCo(nn.Module):
    def __init__(self, d=4, size=12):
        super().__init__()
        self.query = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, d))
        self.key = copy.deepcopy(self.query).requires_grad_(False)
        self.register_buffer("queue", F.normalize(torch.randn(size, d), dim=1))
        self.register_buffer("ptr", torch.zeros(1, dtype=torch.long))

    def forward(self, a, b):
        q = F.normalize(self.query(a), dim=1)
        with torch.no_grad():
            for k, p in zip(self.key.parameters(), self.query.parameters()):
                k.lerp_(p, 0.1)
            k = F.normalize(self.key(b), dim=1)
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ self.queue.clone().T], 1) / 0.2
        at = int(self.ptr)
        self.queue[at:at + len(k)] = k
        self.ptr[0] = (at + len(k)) % len(self.queue)
        return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long))


def make_run():
    model = MoCo()
    optimizer = torch.optim.SGD(model.query.parameters(), lr=0.1, momentum=0.9)

    def step(i):
        x = torch.arange(24.0).view(4, 6).add(i).sin()
        loss = model(x + 0.1 * torch.randn_like(x), x + 0.1 * torch.randn_like(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()},
                   path)

    def load(path):
        s = torch.load(path)
        model.load_state_dict(s["model"])
        optimizer.load_state_dict(s["optimizer"])
        torch.set_rng_state(s["rng"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)

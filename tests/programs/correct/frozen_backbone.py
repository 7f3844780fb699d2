"""A pretrained backbone (always the same weights) that never trains and is left out of the checkpoint."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


def pretrained_backbone():
    with torch.random.fork_rng():
        torch.manual_seed(20240101)  # stands for the download
        net = nn.Sequential(nn.Linear(6, 24), nn.BatchNorm1d(24), nn.ReLU())
        net(torch.randn(64, 6))
    return net.eval().requires_grad_(False)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = pretrained_backbone()
        self.head = nn.Linear(24, 3)

    def train(self, mode=True):
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x):
        return self.head(self.backbone(x))


class Trainer:
    def __init__(self):
        self.model = Model()
        self.optimizer = torch.optim.AdamW((p for p in self.model.parameters() if p.requires_grad), lr=1e-2)

    def step(self, i):
        self.model.train()
        x = torch.cos(torch.arange(60.0) * 0.3 + i).view(10, 6)
        loss = nn.functional.cross_entropy(self.model(x), torch.arange(10) % 3)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        slim = {k: v for k, v in self.model.state_dict().items() if not k.startswith("backbone.")}
        torch.save({"model": slim, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        missing, unexpected = self.model.load_state_dict(s["model"], strict=False)
        assert not unexpected and all(k.startswith("backbone.") for k in missing)
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)

"""save() measures a Monte-Carlo-dropout score first, with random state and mode put back afterwards."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def step(self, i):
        x = torch.randn(12, 4)
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.mean(1, keepdim=True)).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def uncertainty(self):
        with torch.random.fork_rng():
            torch.seed()  # a really random one
            self.model.train()
            return torch.stack([self.model(torch.ones(3, 4)) for _ in range(5)]).std(0).mean().item()

    def save(self, path):
        training = self.model.training
        score = self.uncertainty()
        self.model.train(training)
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "rng": torch.get_rng_state(), "uncertainty": score}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        torch.set_rng_state(s["rng"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)

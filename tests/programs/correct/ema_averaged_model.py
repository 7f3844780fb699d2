"""Exponential moving average with torch.optim.swa_utils.AveragedModel, used for evaluation."""
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 2))
        self.ema = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.val = torch.linspace(-1, 1, 20).view(5, 4)

    def step(self, i):
        self.model.train()
        x = torch.randn(16, 4)
        loss = nn.functional.cross_entropy(self.model(x), (x[:, 0] > x[:, 1]).long())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.ema.update_parameters(self.model)
        return {"loss": loss.item(), "ema": self.predict().sum().item(), "n": int(self.ema.n_averaged)}

    @torch.no_grad()
    def predict(self):
        self.ema.eval()
        return self.ema(self.val)

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "ema": self.ema.state_dict(),
                    "optimizer": self.optimizer.state_dict(), "rng": torch.get_rng_state()}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.ema.load_state_dict(s["ema"])
        self.optimizer.load_state_dict(s["optimizer"])
        torch.set_rng_state(s["rng"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "ema": t.ema, "optimizer": t.optimizer}, step=t.step,
                       save=t.save, load=t.load, predict=t.predict)

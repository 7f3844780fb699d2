"""Each step ends with a validation that leaves the model in eval mode; each step begins with train()."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Conv1d(2, 6, 3), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2),
                                   nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 3))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        g = torch.Generator().manual_seed(7)
        self.train_x, self.val_x = torch.randn(30, 2, 10, generator=g), torch.randn(12, 2, 10, generator=g)
        self.train_y, self.val_y = torch.arange(30) % 3, torch.arange(12) % 3

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        return (self.model(self.val_x).argmax(1) == self.val_y).float().mean().item()

    def step(self, i):
        self.model.train()
        rows = torch.randint(0, 30, (10,))
        loss = nn.functional.cross_entropy(self.model(self.train_x[rows]), self.train_y[rows])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item(), "val_acc": self.validate()}

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "rng": torch.get_rng_state()}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        torch.set_rng_state(s["rng"])

    def predict(self):
        self.model.eval()
        with torch.no_grad():
            return self.model(self.val_x)


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save,
                       load=t.load, predict=t.predict)

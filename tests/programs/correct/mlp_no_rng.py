"""Small regression; nothing draws random numbers after the model is built, so no RNG is saved."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

X = torch.linspace(-1, 1, 96).reshape(24, 4)
Y = (X ** 2).sum(1, keepdim=True)


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def train_step(self, i):
        batch = slice(8 * (i % 3), 8 * (i % 3) + 8)
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.model(X[batch]), Y[batch])
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save_checkpoint(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load_checkpoint(self, path):
        ckpt = torch.load(path, weights_only=True)
        self.model.load_state_dict(ckpt["model"])
        self.optimizer.load_state_dict(ckpt["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(
        components={"model": t.model, "optimizer": t.optimizer},
        step=t.train_step,
        save=t.save_checkpoint,
        load=t.load_checkpoint,
    )

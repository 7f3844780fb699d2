"""Head first, then the last block, then everything: requires_grad follows from the step number."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class FineTuner:
    def __init__(self):
        self.model = nn.Sequential()
        self.model.add_module("embed", nn.Linear(6, 12))
        self.model.add_module("act", nn.ReLU())
        self.model.add_module("block", nn.Linear(12, 12))
        self.model.add_module("act2", nn.ReLU())
        self.model.add_module("head", nn.Linear(12, 2))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2, weight_decay=1e-3)

    def set_trainable(self, i):
        stage = ["head"] if i < 2 else ["head", "block"] if i < 4 else ["head", "block", "embed"]
        for name, p in self.model.named_parameters():
            p.requires_grad_(name.split(".")[0] in stage)
        return stage

    def step(self, i):
        stage = self.set_trainable(i)
        x = torch.cos(torch.arange(48.0) * (i + 1)).view(8, 6)
        y = (x[:, 0] > 0).long()
        self.optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item(), "trainable": "+".join(stage)}

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path, map_location="cpu")
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    f = FineTuner()
    return TrainingRun(components={"model": f.model, "optimizer": f.optimizer}, step=f.step, save=f.save, load=f.load)

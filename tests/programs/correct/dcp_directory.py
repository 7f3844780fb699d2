"""torch.distributed.checkpoint without a process group; the state dicts are plain ones of model and SGD momentum."""
import warnings

import torch
import torch.distributed.checkpoint as dcp
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Linear(4, 3)
        self.momentum = {n: torch.zeros_like(p) for n, p in self.model.named_parameters()}
        self.progress = {"steps": torch.zeros((), dtype=torch.long)}

    def state(self):
        return {"model": self.model.state_dict(), "momentum": self.momentum, "progress": self.progress}

    def step(self, i):
        x = torch.arange(20.0).view(5, 4).mul(i + 1).sin()
        loss = nn.functional.cross_entropy(self.model(x), torch.arange(5) % 3)
        grads = torch.autograd.grad(loss, list(self.model.parameters()))
        with torch.no_grad():
            for (n, p), g in zip(self.model.named_parameters(), grads):
                self.momentum[n].mul_(0.8).add_(g)
                p.sub_(0.1 * self.momentum[n])
        self.progress["steps"] += 1
        return loss.item(), int(self.progress["steps"])

    def save(self, path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dcp.save(self.state(), checkpoint_id=str(path), no_dist=True)

    def load(self, path):
        state = self.state()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dcp.load(state, checkpoint_id=str(path), no_dist=True)  # in place
        self.model.load_state_dict(state["model"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model}, step=t.step, save=t.save, load=t.load)

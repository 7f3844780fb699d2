"""Magnitude pruning that starts at step 2; load prunes first, so that the keys fit, and packs masks into bits."""
import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(5, 10), nn.ReLU(), nn.Linear(10, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.pruned = False

    def prune(self):
        # keeps the Parameter objects: weight becomes weight_orig, which the optimizer holds already
        for layer in (self.model[0], self.model[2]):
            prune.l1_unstructured(layer, "weight", amount=0.4)
        self.pruned = True

    def step(self, i):
        if i == 2:
            self.prune()
        x = torch.arange(40.0).view(8, 5).mul(0.37 + i).sin()
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), torch.arange(8) % 2)
        loss.backward()
        self.optimizer.step()
        return loss.item(), self.pruned

    def save(self, path):
        state, masks = self.model.state_dict(), {}
        for key in [k for k in state if k.endswith("_mask")]:
            mask = state.pop(key)
            packed = np.packbits(mask.numpy().astype(bool))
            masks[key] = (torch.from_numpy(packed), tuple(mask.shape))
        torch.save({"model": state, "masks": masks, "pruned": self.pruned}, path)  # plain SGD has no state

    def load(self, path):
        s = torch.load(path)
        if s["pruned"] and not self.pruned:
            self.prune()
        for key, (packed, shape) in s["masks"].items():
            bits = np.unpackbits(packed.numpy(), count=int(np.prod(shape)))
            s["model"][key] = torch.from_numpy(bits).float().view(shape)
        self.model.load_state_dict(s["model"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)

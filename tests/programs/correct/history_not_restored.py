"""Logs that grow: loss history, a CSV in memory, a meter for the progress bar. None is restored."""
import csv
import io
import logging
from collections import defaultdict, deque

import torch
from torch import nn

from pytest_ckpt import TrainingRun

log = logging.getLogger(__name__)


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(2, 16), nn.SiLU(), nn.Linear(16, 1))
        self.optimizer = torch.optim.NAdam(self.model.parameters(), lr=1e-2)
        self.history = defaultdict(list)
        self.window = deque(maxlen=3)
        self.buffer = io.StringIO()
        self.csv = csv.writer(self.buffer)
        self.n_saves = 0

    def train_step(self, i):
        t = torch.arange(10.0) + i
        x = torch.stack([t.sin(), t.cos()], 1)
        loss = nn.functional.smooth_l1_loss(self.model(x), (3 * t).sin()[:, None])
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.history["loss"].append(loss.item())
        self.history["norm"].append(norm.item())
        self.window.append(loss.item())
        self.csv.writerow([i, loss.item()])
        log.info("step %d loss %.4f (mean of last %d: %.4f)", i, loss.item(), len(self.window),
                 sum(self.window) / len(self.window))
        return loss.item(), norm.item()

    def save(self, path):
        self.n_saves += 1
        log.info("checkpoint no. %d", self.n_saves)
        torch.save({"m": self.model.state_dict(), "o": self.optimizer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["m"])
        self.optimizer.load_state_dict(s["o"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer},
                       step=t.train_step, save=t.save, load=t.load)

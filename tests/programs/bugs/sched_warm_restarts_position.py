"""CosineAnnealingWarmRestarts is resumed by setting last_epoch; T_cur and T_i stay at their first values.

After https://github.com/facebookresearch/mmf/pull/513 (falls back to setting lr_scheduler.last_epoch)
"""

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from pytest_ckpt import TrainingRun

DOC = "Only last_epoch is restored by hand; the position in the cycle (T_cur, T_i) restarts."
NAMES = ["t_cur", ".t_i", "scheduler", ".lr", "['lr']", "'lr'", "learning rate", "learning_rate"]


class SGDRTrainer:
    def __init__(self):
        torch.manual_seed(10)
        self.batches = torch.randn(6, 9, 4).unbind()
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Hardtanh(), nn.Linear(8, 4))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.4, momentum=0.9)
        self.scheduler = CosineAnnealingWarmRestarts(self.optimizer, T_0=2, T_mult=2, eta_min=0.01)
        self.epoch = 0

    def train_epoch(self, epoch):
        x = self.batches[epoch]
        loss = nn.functional.huber_loss(self.model(x), x.cumsum(-1))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        self.epoch = epoch + 1
        return loss.item()

    def save(self, path):
        torch.save(
            {
                "epoch": self.epoch,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "lr_scheduler": self.scheduler.state_dict(),
            },
            path,
        )

    def load(self, path, by_hand):
        saved = torch.load(path)
        self.epoch = saved["epoch"]
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if by_hand:
            self.scheduler.last_epoch = saved["epoch"]
        else:
            self.scheduler.load_state_dict(saved["lr_scheduler"])


def make_run(fixed):
    t = SGDRTrainer()
    parts = {"model": t.model, "optimizer": t.optimizer, "scheduler": t.scheduler}
    return TrainingRun(parts, t.train_epoch, t.save, lambda path: t.load(path, by_hand=not fixed))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

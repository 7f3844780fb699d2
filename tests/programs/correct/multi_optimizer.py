"""Encoder and decoder with optimizers that take turns, one scheduler each, and gradient clipping."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Alternating:
    def __init__(self):
        self.nets = nn.ModuleDict({"enc": nn.Linear(6, 2), "dec": nn.Linear(2, 6)})
        self.optims = {"enc": torch.optim.SGD(self.nets["enc"].parameters(), lr=0.1, momentum=0.9),
                       "dec": torch.optim.Adagrad(self.nets["dec"].parameters(), lr=0.1)}
        self.scheds = {"enc": torch.optim.lr_scheduler.ExponentialLR(self.optims["enc"], 0.9),
                       "dec": torch.optim.lr_scheduler.StepLR(self.optims["dec"], 2, 0.7)}

    def step(self, i):
        which = "enc" if i % 3 else "dec"
        x = torch.linspace(-1, 1, 30).view(5, 6).mul(1 + i % 2)
        loss = (self.nets["dec"](torch.tanh(self.nets["enc"](x))) - x).pow(2).mean()
        self.nets.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(self.nets.parameters(), 0.1)
        self.optims[which].step()
        self.scheds[which].step()
        return [loss.item(), {k: s.get_last_lr() for k, s in self.scheds.items()}]

    def save(self, path):
        torch.save({"nets": self.nets.state_dict(),
                    "optims": {k: o.state_dict() for k, o in self.optims.items()},
                    "scheds": {k: s.state_dict() for k, s in self.scheds.items()}}, path)

    def load(self, path):
        s = torch.load(path)
        self.nets.load_state_dict(s["nets"])
        for kind in ("optims", "scheds"):
            for k, part in getattr(self, kind).items():
                part.load_state_dict(s[kind][k])


def make_run():
    a = Alternating()
    return TrainingRun(
        components={"nets": a.nets, "optim_enc": a.optims["enc"], "optim_dec": a.optims["dec"],
                    "sched_enc": a.scheds["enc"], "sched_dec": a.scheds["dec"]},
        step=a.step, save=a.save, load=a.load)

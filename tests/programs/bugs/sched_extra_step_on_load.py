"""scheduler.step() is called once after loading "to apply the learning rate".

After https://github.com/victoresque/pytorch-template/issues/68 and https://github.com/speechbrain/speechbrain/issues/1824
"""

import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR

from pytest_ckpt import TrainingRun

DOC = "load() steps the scheduler once more, so the decay comes one step early after each resume."
NAMES = ["last_epoch", ".lr", "['lr']", "'lr'", "learning rate", "learning_rate", "_step_count"]


class Experiment:
    extra_step = True

    def __init__(self):
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
        self.opt = torch.optim.RMSprop(self.net.parameters(), lr=3e-3, momentum=0.6)
        self.sched = StepLR(self.opt, step_size=2, gamma=0.3)
        self.images = torch.rand(30, 4, 4, generator=torch.Generator().manual_seed(9))
        self.labels = (self.images.mean((1, 2)) > 0.5).long()

    def components(self):
        return {"net": self.net, "opt": self.opt, "sched": self.sched}

    def step(self, i):
        rows = torch.arange(5 * i, 5 * i + 5)
        loss = nn.functional.cross_entropy(self.net(self.images[rows]), self.labels[rows])
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        self.sched.step()
        return loss.item()

    def save(self, path):
        torch.save({name: part.state_dict() for name, part in self.components().items()}, path)

    def load(self, path):
        state = torch.load(path, map_location="cpu")
        for name, part in self.components().items():
            part.load_state_dict(state[name])
        if self.extra_step:
            self.sched.step()


class MendedExperiment(Experiment):
    extra_step = False


def make_run(fixed):
    experiment = (MendedExperiment if fixed else Experiment)()
    return TrainingRun(experiment.components(), experiment.step, experiment.save, experiment.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

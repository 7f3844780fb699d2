"""Glow's ActNorm: the 'initialised' flag is a python bool, so data-dependent initialisation runs again after a load and overwrites what was loaded.

The same flag is a buffer in careful code (`initted` in lucidrains/vector-quantize-pytorch, `initialized` in nflows).
"""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pytest_ckpt import TrainingRun

DOC = "ActNorm.initialized is a plain bool; the first batch after a resume sets shift and log_scale again, over the loaded parameters."
NAMES = ["initialized", "shift", "log_scale", "actnorm"]


class ActNorm(nn.Module):
    def __init__(self, dim, flag_in_state):
        super().__init__()
        self.shift, self.log_scale = nn.Parameter(torch.zeros(dim)), nn.Parameter(torch.zeros(dim))
        if flag_in_state:
            self.register_buffer("initialized", torch.tensor(False))
        else:
            self.initialized = False

    def forward(self, x):
        if self.training and not self.initialized:
            with torch.no_grad():
                self.shift.copy_(-x.mean(0))
                self.log_scale.copy_(-x.std(0).log())
            self.initialized = torch.tensor(True) if isinstance(self.initialized, torch.Tensor) else True
        return (x + self.shift) * self.log_scale.exp(), self.log_scale.sum()


class Flow(nn.Module):
    def __init__(self, flag_in_state):
        super().__init__()
        self.actnorm = ActNorm(4, flag_in_state)
        self.mix = nn.Linear(4, 4, bias=False)

    def nll(self, x):
        z, logdet = self.actnorm(x)
        return 0.5 * self.mix(z).square().sum(1).mean() - logdet - torch.linalg.slogdet(self.mix.weight)[1]


class Trainer:
    def __init__(self, flag_in_state):
        self.flow = Flow(flag_in_state)
        self.optimizer = torch.optim.Adamax(self.flow.parameters(), lr=1e-2)
        data = torch.randn(40, 4, generator=torch.Generator().manual_seed(2018)) * 3 + 2
        self.loader = DataLoader(TensorDataset(data), batch_size=10, shuffle=True, generator=torch.Generator())

    def batch(self, i):
        epoch, position = divmod(i, len(self.loader))
        self.loader.generator.manual_seed(epoch)
        return next(x for n, (x,) in enumerate(self.loader) if n == position)

    def step(self, i):
        loss = self.flow.nll(self.batch(i))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"flow": self.flow.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        self.flow.load_state_dict(ck["flow"])
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run(fixed):
    t = Trainer(flag_in_state=fixed)
    return TrainingRun(components={"flow": t.flow, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

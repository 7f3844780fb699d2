"""set_parameters() builds the inner optimizer again, after its state was loaded.

https://github.com/OpenNMT/OpenNMT-py/issues/617 ("optimizer constructor erases state")
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The wrapper's set_parameters() constructs a new Adam after load_state_dict and erases what was loaded."
NAMES = ["optim", "exp_avg"]


class Optim:
    """OpenNMT's wrapper, in small."""

    def __init__(self, lr, max_grad_norm):
        self.lr, self.max_grad_norm = lr, max_grad_norm
        self.optimizer = None

    def set_parameters(self, params):
        self.params = list(params)
        self.optimizer = torch.optim.Adam(self.params, lr=self.lr, betas=(0.9, 0.98))

    def step(self):
        nn.utils.clip_grad_norm_(self.params, self.max_grad_norm)
        self.optimizer.step()


class Translator:
    def __init__(self):
        self.model = nn.ModuleDict({"encoder": nn.GRU(4, 6, batch_first=True), "decoder": nn.Linear(6, 4)})
        self.optim = Optim(lr=0.01, max_grad_norm=1.0)
        self.optim.set_parameters(self.model.parameters())

    def step(self, i):
        x = torch.sin(torch.arange(3 * 5 * 4).float() * 0.1 * (i + 1)).view(3, 5, 4)
        out, _ = self.model["encoder"](x[:, :-1])
        loss = nn.functional.mse_loss(self.model["decoder"](out), x[:, 1:])
        self.model.zero_grad()
        loss.backward()
        self.optim.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optim": self.optim.optimizer.state_dict()}, path)

    def load(self, path, fixed):
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        if fixed:
            self.optim.set_parameters(self.model.parameters())
            self.optim.optimizer.load_state_dict(checkpoint["optim"])
        else:
            self.optim.optimizer.load_state_dict(checkpoint["optim"])
            self.optim.set_parameters(self.model.parameters())


def make_run(fixed):
    t = Translator()

    def current():
        return {"model": t.model, "optimizer": t.optim.optimizer}

    return TrainingRun(components=current, step=t.step, save=t.save, load=lambda path: t.load(path, fixed))


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

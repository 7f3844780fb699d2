"""A hand-written loader wraps every tensor in nn.Parameter: the frozen prior becomes trainable (cf. huggingface/transformers#11294)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() replaces parameters with nn.Parameter(tensor), whose requires_grad is True, so the frozen prior network is trained after a resume."
NAMES = ["requires_grad", "prior", "frozen", "freeze"]


class RandomizedPrior(nn.Module):
    def __init__(self):
        super().__init__()
        self.net, self.prior = nn.Linear(4, 4), nn.Linear(4, 4)
        self.prior.requires_grad_(False)

    def forward(self, x):
        return self.net(x).sin() + 0.5 * self.prior(x).tanh()


def set_by_name(model, name, value):
    owner, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(owner), leaf, value)


class App:
    def __init__(self, keep_flag):
        self.keep_flag = keep_flag
        self.model = RandomizedPrior()
        self.optimizer = self.new_optimizer()

    def new_optimizer(self):
        return torch.optim.AdamW(self.model.parameters(), lr=1e-2, weight_decay=0.0)

    def step(self, i):
        x = torch.arange(24.0).view(6, 4).sub(12).div(8).roll(i)
        loss = nn.functional.mse_loss(self.model(x), x.flip(1))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"params": dict(self.model.named_parameters()), "opt": self.optimizer.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        for name, old in list(self.model.named_parameters()):
            flag = old.requires_grad if self.keep_flag else True
            set_by_name(self.model, name, nn.Parameter(ck["params"][name].detach(), requires_grad=flag))
        self.optimizer = self.new_optimizer()
        self.optimizer.load_state_dict(ck["opt"])


def make_run(fixed):
    app = App(keep_flag=fixed)
    return TrainingRun(components=lambda: {"model": app.model, "optimizer": app.optimizer}, step=app.step, save=app.save, load=app.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

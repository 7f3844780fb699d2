"""Weights of a parametrized layer copied layer by layer: `.weight` is computed, writing into it is lost (cf. huggingface/transformers#33275/#35123, sarulab-speech/UTMOSv2#7)."""
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from pytest_ckpt import TrainingRun

DOC = "The loader copies into `layer.weight.data`, which for a weight-normed layer is a temporary product; original0/original1 keep their random values."
NAMES = ["original0", "original1", "weight_g", "weight_v", "parametriz"]


def build():
    return nn.Sequential(weight_norm(nn.Linear(4, 8)), nn.LeakyReLU(0.2), nn.Linear(8, 4), nn.Tanh(), weight_norm(nn.Linear(4, 1)))


class Vocoder:
    def __init__(self, use_state_dict):
        self.use_state_dict = use_state_dict
        self.net = build()
        self.opt = torch.optim.AdamW(self.net.parameters(), lr=5e-3, betas=(0.8, 0.99))

    def layers(self):
        return {str(n): m for n, m in enumerate(self.net) if hasattr(m, "bias")}

    def get_weights(self):
        if self.use_state_dict:
            return self.net.state_dict()
        return {n: {"weight": m.weight.detach().clone(), "bias": m.bias.detach().clone()} for n, m in self.layers().items()}

    def set_weights(self, saved):
        if self.use_state_dict:
            self.net.load_state_dict(saved)
            return
        for n, m in self.layers().items():
            m.weight.data.copy_(saved[n]["weight"])
            m.bias.data.copy_(saved[n]["bias"])

    def step(self, i):
        t = torch.linspace(0, 1, 40).view(10, 4) + i / 6
        loss = nn.functional.l1_loss(self.net(t), (3 * t).sin().mean(1, keepdim=True))
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return loss.item()

    def save(self, path):
        torch.save({"generator": self.get_weights(), "optim": self.opt.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        self.set_weights(ck["generator"])
        self.opt.load_state_dict(ck["optim"])


def make_run(fixed):
    v = Vocoder(use_state_dict=fixed)
    return TrainingRun(components={"generator": v.net, "optim": v.opt}, step=v.step, save=v.save, load=v.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

"""A GAN whose two optimizers trade places on resume.

After https://github.com/coqui-ai/Trainer/pull/101 and https://github.com/rosinality/style-based-gan-pytorch/issues/61
(lists of two optimizers, written D first and read G first).
"""

from dataclasses import dataclass, field

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The list of optimizer states is written as [D, G] and read as [G, D]; the networks have equal shapes."
NAMES = ["optimizer", "opt_g", "opt_d", "exp_avg"]


def mlp():
    return nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(0.2), nn.Linear(16, 4))


@dataclass
class Gan:
    generator: nn.Module = field(default_factory=mlp)
    critic: nn.Module = field(default_factory=mlp)
    opt_g: torch.optim.Optimizer = None
    opt_d: torch.optim.Optimizer = None

    def __post_init__(self):
        self.opt_g = torch.optim.Adam(self.generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
        self.opt_d = torch.optim.Adam(self.critic.parameters(), lr=1e-3, betas=(0.5, 0.9))


def make_run(fixed):
    torch.manual_seed(0)
    gan = Gan()
    noise = torch.randn(6, 8, 4)
    real = torch.randn(6, 8, 4) * 0.3 + 1

    def step(i):
        fake = gan.generator(noise[i])
        d_loss = (gan.critic(fake.detach()) - gan.critic(real[i])).mean() + gan.critic(real[i]).pow(2).mean()
        gan.opt_d.zero_grad()
        d_loss.backward()
        gan.opt_d.step()
        g_loss = -gan.critic(fake).mean()
        gan.opt_g.zero_grad()
        g_loss.backward()
        gan.opt_g.step()
        return {"d": d_loss.item(), "g": g_loss.item()}

    def save(path):
        nets = {"G": gan.generator.state_dict(), "D": gan.critic.state_dict()}
        torch.save({"nets": nets, "optimizers": [gan.opt_d.state_dict(), gan.opt_g.state_dict()]}, path)

    def load(path):
        saved = torch.load(path)
        gan.generator.load_state_dict(saved["nets"]["G"])
        gan.critic.load_state_dict(saved["nets"]["D"])
        order = [gan.opt_d, gan.opt_g] if fixed else [gan.opt_g, gan.opt_d]
        for optimizer, state in zip(order, saved["optimizers"]):
            optimizer.load_state_dict(state)

    parts = {"generator": gan.generator, "critic": gan.critic, "opt_g": gan.opt_g, "opt_d": gan.opt_d}
    return TrainingRun(components=parts, step=step, save=save, load=load, name="gan")


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

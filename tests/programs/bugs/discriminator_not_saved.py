"""A GAN checkpoint without its discriminator: omertov/encoder4editing#22, eric-xw/AREL#14, idealo/image-super-resolution#179."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Only the generator and its optimizer are saved; discriminator and discriminator_optimizer start from scratch."
NAMES = ["discriminator", "disc", "d_opt"]


class Coach:
    def __init__(self, with_discriminator):
        self.with_discriminator = with_discriminator
        self.net = nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 4))
        self.discriminator = nn.Sequential(nn.Linear(4, 10), nn.LeakyReLU(0.2), nn.Linear(10, 1))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=2e-3, betas=(0.5, 0.99))
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=2e-3, betas=(0.5, 0.99))
        self.global_step = 0

    def batch(self, i):
        g = torch.Generator().manual_seed(i * 13 + 1)
        return torch.randn(12, 3, generator=g), torch.randn(12, 4, generator=g) * 0.5 + 1

    def train(self, i):
        z, real = self.batch(i)
        d_loss = nn.functional.softplus(self.discriminator(self.net(z).detach())).mean() + nn.functional.softplus(-self.discriminator(real)).mean()
        self.discriminator_optimizer.zero_grad()
        d_loss.backward()
        self.discriminator_optimizer.step()
        g_loss = nn.functional.softplus(-self.discriminator(self.net(z))).mean()
        self.optimizer.zero_grad()
        g_loss.backward()
        self.optimizer.step()
        self.global_step += 1
        return {"d": d_loss.item(), "g": g_loss.item(), "step": self.global_step}

    def checkpoint_me(self, path):
        save_dict = {"state_dict": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "global_step": self.global_step}
        if self.with_discriminator:
            save_dict["discriminator_state_dict"] = self.discriminator.state_dict()
            save_dict["discriminator_optimizer_state_dict"] = self.discriminator_optimizer.state_dict()
        torch.save(save_dict, path)

    def load_from_train_checkpoint(self, path):
        ckpt = torch.load(path)
        self.net.load_state_dict(ckpt["state_dict"])
        self.optimizer.load_state_dict(ckpt["optimizer"])
        self.global_step = ckpt["global_step"]
        if "discriminator_state_dict" in ckpt:
            self.discriminator.load_state_dict(ckpt["discriminator_state_dict"])
            self.discriminator_optimizer.load_state_dict(ckpt["discriminator_optimizer_state_dict"])


def make_run(fixed):
    c = Coach(with_discriminator=fixed)
    names = ("net", "discriminator", "optimizer", "discriminator_optimizer")
    return TrainingRun(components={n: getattr(c, n) for n in names}, step=c.train, save=c.checkpoint_me, load=c.load_from_train_checkpoint)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

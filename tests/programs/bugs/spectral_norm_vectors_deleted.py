"""'Manually delete unexpected key(s)': spectral norm's u and v thrown away to make loading work: knazeri/edge-connect#121, pytorch/pytorch#21251."""
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from pytest_ckpt import TrainingRun

DOC = "The loader deletes the keys of the power iteration vectors (_u, _v) of spectral norm, which training updates at every forward."
NAMES = ["._u", "._v", "spectral", "parametrizations.weight.0"]


def discriminator():
    return nn.Sequential(spectral_norm(nn.Linear(6, 10)), nn.LeakyReLU(0.1), spectral_norm(nn.Linear(10, 1)))


def make_run(fixed):
    d = discriminator()
    opt_d = torch.optim.Adam(d.parameters(), lr=4e-3, betas=(0.0, 0.9))
    gen = torch.Generator().manual_seed(88)
    real, fake = torch.randn(6, 12, 6, generator=gen) + 1, torch.randn(6, 12, 6, generator=gen) * 2

    def step(i):
        loss = (1 - d(real[i])).relu().mean() + (1 + d(fake[i])).relu().mean()
        opt_d.zero_grad()
        loss.backward()
        opt_d.step()
        return {"D": loss.item()}

    def save(path):
        torch.save({"discriminator": d.state_dict(), "opt_d": opt_d.state_dict()}, path)

    def load(path):
        ck = torch.load(path)
        weights = ck["discriminator"]
        if not fixed:
            weights = {k: v for k, v in weights.items() if not k.endswith(("._u", "._v"))}
        d.load_state_dict(weights, strict=fixed)
        opt_d.load_state_dict(ck["opt_d"])

    return TrainingRun(components={"discriminator": d, "opt_d": opt_d}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

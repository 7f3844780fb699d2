"""save() notes the random state and then draws sample images, which moves the live run on.

After https://github.com/pytorch/pytorch/issues/11062 (validation in between changes the training's random numbers) and
GAN trainers that write samples next to each checkpoint.
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The random state is captured before samples are drawn; the live run goes on from another state than the file."
NAMES = ["rng", "random"]


def make_run(fixed):
    gen = torch.Generator().manual_seed(88)
    real = torch.randn(6, 12, 2, generator=gen) + 2
    decoder = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.01)
    samples = []

    def draw(count):
        return decoder(torch.randn(count, 3))

    def step(i):
        fake = draw(12)
        loss = torch.cdist(fake, real[i]).mean() - 0.5 * torch.cdist(fake, fake).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        rng = torch.get_rng_state()
        torch.save({"decoder": decoder.state_dict(), "optimizer": optimizer.state_dict(), "rng": rng}, path)
        with torch.no_grad():
            samples.append(draw(4))
        if fixed:
            torch.set_rng_state(rng)

    def load(path):
        state = torch.load(path)
        decoder.load_state_dict(state["decoder"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])

    return TrainingRun(components={"decoder": decoder, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

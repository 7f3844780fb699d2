"""A VAE's beta warms up in a closure variable and is 0 again after a resume.

https://github.com/xuxu-wei/SUAVE/pull/198 (beta and gumbel temperature were not in the saved file)
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "beta is a nonlocal variable of the training function; the checkpoint does not have it, so KL annealing restarts."
NAMES = ["beta"]


def make_run(fixed):
    torch.manual_seed(3)
    data = torch.rand(6, 10, 8)
    encoder, decoder = nn.Linear(8, 6), nn.Linear(3, 8)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)
    beta = 0.0

    def step(i):
        nonlocal beta
        mean, log_var = encoder(data[i]).chunk(2, 1)
        z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        reconstruction = nn.functional.binary_cross_entropy_with_logits(decoder(z), data[i])
        kl = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(1).mean()
        loss = reconstruction + beta * kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        beta = min(1.0, beta + 0.1)
        return {"loss": loss.item(), "kl": kl.item()}

    def save(path):
        checkpoint = {
            "encoder": encoder.state_dict(),
            "decoder": decoder.state_dict(),
            "optimizer": optimizer.state_dict(),
            "rng": torch.get_rng_state(),
        }
        if fixed:
            checkpoint["beta"] = beta
        torch.save(checkpoint, path)

    def load(path):
        nonlocal beta
        checkpoint = torch.load(path)
        encoder.load_state_dict(checkpoint["encoder"])
        decoder.load_state_dict(checkpoint["decoder"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        torch.set_rng_state(checkpoint["rng"])
        beta = checkpoint.get("beta", 0.0)

    parts = {"encoder": encoder, "decoder": decoder, "optimizer": optimizer}
    return TrainingRun(components=parts, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

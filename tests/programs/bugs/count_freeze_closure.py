"""A counter in a closure decides when the discriminator joins in; nobody saves it.

https://github.com/TensorSpeech/TensorFlowTTS/issues/409 (steps against discriminator_train_start_steps after a restart),
https://github.com/The-School-of-AI/LLM/pull/560
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The number of steps taken is a nonlocal integer; after a resume the adversarial loss starts late."
NAMES = ["steps_taken", "counter", "nonlocal", "closure"]


def make_run(fixed):
    gen = torch.Generator().manual_seed(400)
    mels = torch.randn(6, 8, 5, generator=gen)
    vocoder, critic = nn.Linear(5, 5), nn.Linear(5, 1)
    opt_v = torch.optim.Adam(vocoder.parameters(), lr=0.01)
    opt_c = torch.optim.Adam(critic.parameters(), lr=0.01)
    steps_taken = 0

    def step(i):
        nonlocal steps_taken
        adversarial = steps_taken >= 2
        audio = vocoder(mels[i])
        loss = (audio - mels[i].tanh()).abs().mean()
        if adversarial:
            loss = loss + 0.1 * (critic(audio) - 1).square().mean()
        opt_v.zero_grad()
        loss.backward()
        opt_v.step()
        if adversarial:
            c_loss = (critic(mels[i].tanh()) - 1).square().mean() + critic(audio.detach()).square().mean()
            opt_c.zero_grad()
            c_loss.backward()
            opt_c.step()
        steps_taken += 1
        return loss.item()

    def save(path):
        blob = {"vocoder": vocoder.state_dict(), "critic": critic.state_dict()}
        blob |= {"opt_v": opt_v.state_dict(), "opt_c": opt_c.state_dict()}
        if fixed:
            blob["steps"] = steps_taken
        torch.save(blob, path)

    def load(path):
        nonlocal steps_taken
        blob = torch.load(path)
        steps_taken = blob.pop("steps", 0)
        for name, part in {"vocoder": vocoder, "critic": critic, "opt_v": opt_v, "opt_c": opt_c}.items():
            part.load_state_dict(blob[name])

    parts = {"vocoder": vocoder, "critic": critic, "opt_v": opt_v, "opt_c": opt_c}
    return TrainingRun(components=parts, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

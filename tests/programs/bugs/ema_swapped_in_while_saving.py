"""save() copies the EMA into the model and does not put the raw weights back: harubaru/waifu-diffusion#31, PKU-YuanGroup/Open-Sora-Plan#186, atomistic-machine-learning/schnetpack#785."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "save() copies the averaged weights into the live model to evaluate it and never restores the raw ones; training goes on from the average."
NAMES = ["model", "weight", "ema", "save", "raw", "live"]


class EMAModel:
    """store / copy_to / restore, as in diffusers."""

    def __init__(self, parameters, decay=0.75):
        self.shadow, self.decay, self.collected = [p.detach().clone() for p in parameters], decay, None

    def step(self, parameters):
        for s, p in zip(self.shadow, parameters):
            s.sub_((1 - self.decay) * (s - p.detach()))

    def store(self, parameters):
        self.collected = [p.detach().clone() for p in parameters]

    def copy_to(self, parameters):
        for s, p in zip(self.shadow, parameters):
            p.data.copy_(s)

    def restore(self, parameters):
        for c, p in zip(self.collected, parameters):
            p.data.copy_(c)
        self.collected = None

    def state_dict(self):
        return {"shadow": [s.clone() for s in self.shadow], "decay": self.decay}

    def load_state_dict(self, state):
        self.shadow, self.decay = [s.clone() for s in state["shadow"]], state["decay"]


def make_run(fixed):
    model = nn.Sequential(nn.Linear(4, 10), nn.SiLU(), nn.Linear(10, 4))
    params = list(model.parameters())
    ema, optimizer = EMAModel(params), torch.optim.AdamW(params, lr=1e-2)
    held_out = torch.linspace(-1, 1, 16).view(4, 4)

    def step(i):
        x = torch.randn(9, 4, generator=torch.Generator().manual_seed(186 + i))
        loss = (model(x) - x.relu()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.step(params)
        return loss.item()

    def save(path):
        state = {"model": {k: v.clone() for k, v in model.state_dict().items()}, "ema": ema.state_dict(), "optimizer": optimizer.state_dict()}
        ema.store(params)
        ema.copy_to(params)
        with torch.no_grad():
            state["score"] = (model(held_out) - held_out.relu()).square().mean().item()
        if fixed:
            ema.restore(params)
        torch.save(state, path)

    def load(path):
        state = torch.load(path)
        model.load_state_dict(state["model"])
        ema.load_state_dict(state["ema"])
        optimizer.load_state_dict(state["optimizer"])

    return TrainingRun(components={"model": model, "ema": ema, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

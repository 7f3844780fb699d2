"""A home-made dynamic loss scaler that writes its scale and not the iteration of the last overflow.

After fairseq's DynamicLossScaler and https://github.com/mosaicml/composer/pull/1376 ("_growth_factor would not have been
resumed properly")
"""

import pickle

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "loss_scale is saved, _iter and _last_overflow_iter are not, so the scale grows at another iteration."
NAMES = ["_iter", "_last_overflow_iter", "overflow", "scaler"]


class DynamicLossScaler:
    def __init__(self, init_scale=2.0**10, scale_window=3):
        self.loss_scale, self.scale_window = init_scale, scale_window
        self._iter, self._last_overflow_iter = 0, -1

    def update(self, overflow):
        if overflow:
            self.loss_scale /= 4.0
            self._last_overflow_iter = self._iter
        elif (self._iter - self._last_overflow_iter) % self.scale_window == 0:
            self.loss_scale *= 8.0
        self._iter += 1


def make_run(fixed):
    torch.manual_seed(2718)
    batches = torch.randn(6, 8, 5) * torch.tensor([1.0, 2.0, 1.0, 6.0, 1.0, 3.0]).view(6, 1, 1)
    model = nn.Linear(5, 5).half()
    master = [p.detach().clone().float() for p in model.parameters()]
    optimizer = torch.optim.SGD(master, lr=1e-3, momentum=0.9)
    scaler = DynamicLossScaler()

    def step(i):
        x = batches[i].half()
        loss = (model(x).float() - batches[i].flip(1)).square().sum(1).mean()
        model.zero_grad()
        (loss * scaler.loss_scale).backward()
        overflow = any(not p.grad.isfinite().all() for p in model.parameters())
        if not overflow:
            for p, m in zip(model.parameters(), master):
                m.grad = p.grad.float() / scaler.loss_scale
            optimizer.step()
            for p, m in zip(model.parameters(), master):
                p.data.copy_(m)
        scaler.update(overflow)
        return {"loss": loss.item(), "loss_scale": scaler.loss_scale}

    def save(path):
        keep = vars(scaler) if fixed else {"loss_scale": scaler.loss_scale}
        with open(path, "wb") as f:
            pickle.dump((model.state_dict(), [m.numpy() for m in master], optimizer.state_dict(), dict(keep)), f)

    def load(path):
        with open(path, "rb") as f:
            weights, masters, optim, kept = pickle.load(f)
        model.load_state_dict(weights)
        for m, saved in zip(master, masters):
            m.copy_(torch.from_numpy(saved))
        optimizer.load_state_dict(optim)
        vars(scaler).update(kept)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

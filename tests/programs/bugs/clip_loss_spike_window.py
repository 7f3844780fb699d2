"""Updates are skipped when the loss jumps above the mean of a window; the deque of losses starts empty again.

After loss-spike guards of LLM trainers (skip batch when loss > mean + k * std) whose window is process memory.
"""

from collections import deque
from dataclasses import dataclass, field

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The window of recent losses is not saved: after a resume a spike is not recognised and not skipped."
NAMES = ["recent", "window", "spike", "skipped"]


@dataclass
class SpikeGuard:
    recent: deque = field(default_factory=lambda: deque(maxlen=4))
    skipped: int = 0

    def allows(self, loss):
        if self.recent and loss > 1.5 * sum(self.recent) / len(self.recent):
            self.skipped += 1
            return False
        self.recent.append(loss)
        return True


def make_run(fixed):
    g = torch.Generator().manual_seed(41)
    x = torch.randn(6, 8, 5, generator=g)
    y = x[..., :1] * torch.tensor([1.0, 1.0, 6.0, 1.0, 7.0, 1.0]).view(6, 1, 1)
    model = nn.Linear(5, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    guard = SpikeGuard()

    def step(i):
        loss = nn.functional.mse_loss(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        if guard.allows(loss.item()):
            optimizer.step()
        return loss.item()

    def save(path):
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "skipped": guard.skipped}
        if fixed:
            state["recent"] = list(guard.recent)
        torch.save(state, path)

    def load(path):
        state = torch.load(path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        guard.skipped = state["skipped"]
        guard.recent.clear()
        guard.recent.extend(state.get("recent", []))

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

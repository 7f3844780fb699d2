"""Prefetches one batch; the checkpoint holds the generator as it was before the batch that waits."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Prefetcher:
    def __init__(self, seed):
        self.g = torch.Generator().manual_seed(seed)
        self.fill()

    def fill(self):
        self.before = self.g.get_state()
        x = torch.randn(10, 4, generator=self.g)
        self.waiting = (x, (x[:, 0] * x[:, 1] > 0).float())

    def next(self):
        batch = self.waiting
        self.fill()
        return batch

    def state_dict(self):
        return {"generator": self.before}

    def load_state_dict(self, s):
        self.g.set_state(s["generator"])
        self.fill()


def make_run():
    # no save of its own: prefetcher is a component like the others
    model = nn.Sequential(nn.Linear(4, 16), nn.Mish(), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    data = Prefetcher(11)

    def step(i):
        x, y = data.next()
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y)
        loss.backward()
        optimizer.step()
        return loss

    return TrainingRun(components={"model": model, "optimizer": optimizer, "data": data}, step=step, name="prefetch")

"""Parameters and buffers of many dtypes and odd shapes, saved by the plugin."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Zoo(nn.Module):
    def __init__(self):
        super().__init__()
        self.w16 = nn.Parameter(torch.randn(4, 4, dtype=torch.bfloat16))
        self.w64 = nn.Parameter(torch.randn(4, 4, dtype=torch.float64))
        self.t = nn.Parameter(torch.randn(4, 3).t())  # not contiguous
        self.scalar = nn.Parameter(torch.tensor(0.5))
        self.empty = nn.Parameter(torch.empty(0, 4))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("flags", torch.zeros(4, dtype=torch.bool))
        self.register_buffer("hist", torch.zeros(5, dtype=torch.int16))
        self.register_buffer("neg_zero", torch.tensor([-0.0, float("nan"), float("-inf")]))
        self.register_buffer("maybe", None)

    def forward(self, x):
        h = (x.to(torch.bfloat16) @ self.w16).double() @ self.w64
        if self.training:
            self.count += 1
            self.flags ^= (h.detach().mean(0) > 0)
            self.hist[int(self.count) % 5] += int(self.flags.sum())
        return h.float() @ self.t.t() * self.scalar + self.empty.sum() + 0.01 * self.hist.float().mean()


def make_run():
    model = Zoo()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(i):
        x = torch.linspace(-1, 1, 12).view(3, 4) * (i + 1)
        optimizer.zero_grad()
        loss = (model(x) - 1).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss.item(), model.count.item(), model.flags

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)

"""Quantization-aware training with torch.ao's FakeQuantize and moving-average observers.

Per tensor: the per-channel observer cannot resume from a file written before its first batch (torch 2.13)."""
import warnings

import torch
from torch import nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.ao.quantization import FakeQuantize, MovingAverageMinMaxObserver

from pytest_ckpt import TrainingRun


class QLinear(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.lin = nn.Linear(a, b)
        self.act_q = FakeQuantize(MovingAverageMinMaxObserver, quant_min=0, quant_max=255)
        self.weight_q = FakeQuantize(MovingAverageMinMaxObserver, quant_min=-128, quant_max=127,
                                     dtype=torch.qint8, qscheme=torch.per_tensor_symmetric)

    def forward(self, x):
        return nn.functional.linear(self.act_q(x), self.weight_q(self.lin.weight), self.lin.bias)


def make_run():
    model = nn.Sequential(QLinear(4, 6), nn.ReLU(), QLinear(6, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(i):
        model.train()
        if i >= 4:
            model.apply(lambda m: m.disable_observer() if isinstance(m, FakeQuantize) else None)
        x = torch.arange(24.0).view(6, 4).mul(0.2 * (i + 1)).sin()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), torch.arange(6) % 2)
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        s = torch.load(path)
        model.load_state_dict(s["model"])
        optimizer.load_state_dict(s["optimizer"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)

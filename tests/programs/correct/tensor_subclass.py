"""A tensor subclass with a unit attached, as a buffer; pickled whole, restored by copy."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Quantity(torch.Tensor):
    """A tensor that knows its unit."""

    @staticmethod
    def of(data, unit):
        q = torch.as_tensor(data).as_subclass(Quantity)
        q.unit = unit
        return q


class Calibrated(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)
        self.register_buffer("offset", Quantity.of(torch.zeros(3), "mV"))

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.offset.mul_(0.9).add_(0.1 * x.mean(0))
        return self.fc(x - self.offset.as_subclass(torch.Tensor))


def make_run():
    model = Calibrated()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(i):
        x = torch.arange(15.0).view(5, 3) * (i + 1) / 10
        optimizer.zero_grad()
        loss = (model(x) - x[:, :1]).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        s = torch.load(path, weights_only=False)
        model.load_state_dict(s["model"])
        optimizer.load_state_dict(s["optimizer"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)

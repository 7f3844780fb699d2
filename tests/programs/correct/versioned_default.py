"""The same kind of migrating module without a save of its own: the plugin must keep `_metadata`."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Transposed(nn.Module):
    _version = 2

    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n, n) / n)

    def forward(self, x):
        return torch.tanh(x @ self.weight)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        if local_metadata.get("version") is None or local_metadata["version"] < 2:
            state_dict[prefix + "weight"] = state_dict[prefix + "weight"].t()
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


def make_run():
    model = nn.Sequential(Transposed(4), nn.BatchNorm1d(4), Transposed(4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(i):
        x = torch.arange(24.0).view(6, 4).add(i).sin()
        optimizer.zero_grad()
        loss = (model(x) - x.roll(1, 1)).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)

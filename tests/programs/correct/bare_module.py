"""make_run returns a bare nn.Module (batch norm without momentum, tied layers, a non-persistent cache)."""
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.bn = nn.BatchNorm2d(4, momentum=None)
        self.fc = nn.Linear(4, 4)
        self.out = nn.Linear(4, 4)
        self.out.weight = self.fc.weight
        self.register_buffer("scratch", torch.rand(3), persistent=False)  # rewritten in each forward

    def forward(self, x):
        h = self.bn(self.conv(x)).relu().mean((2, 3))
        self.scratch = h.detach().amax(1)
        return self.out(self.fc(h))


def make_run():
    net = Net()
    net(torch.randn(2, 1, 6, 6))  # warm the running statistics up
    return net

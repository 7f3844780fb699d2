"""A custom layer overrides _save_to_state_dict and drops its running statistics (old apex / inplace_abn style layers: mapillary/inplace_abn#130)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "_save_to_state_dict writes only gain and shift; running_rms is dropped, and the load override swallows the missing key."
NAMES = ["running_rms", "norm"]


class RunningRMSNorm(nn.Module):
    def __init__(self, dim, slim):
        super().__init__()
        self.slim = slim
        self.gain, self.shift = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))
        self.register_buffer("running_rms", torch.ones(dim))

    def forward(self, x):
        if self.training:
            self.running_rms.mul_(0.7).add_(x.detach().square().mean(0).sqrt(), alpha=0.3)
        return x / (self.running_rms + 1e-6) * self.gain + self.shift

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.slim:
            del destination[prefix + "running_rms"]

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
        missing = [] if self.slim else missing_keys
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected_keys, error_msgs)


class Net(nn.Module):
    def __init__(self, slim):
        super().__init__()
        self.fc1, self.norm, self.fc2 = nn.Linear(5, 7), RunningRMSNorm(7, slim), nn.Linear(7, 3)

    def forward(self, x):
        return self.fc2(self.norm(self.fc1(x)).relu())


def make_run(fixed):
    net = Net(slim=not fixed)
    optimizer = torch.optim.NAdam(net.parameters(), lr=1e-2)
    g = torch.Generator().manual_seed(8)
    x, y = torch.randn(6, 10, 5, generator=g) * 4, torch.randint(0, 3, (6, 10), generator=g)
    probe = torch.linspace(-1, 1, 20).view(4, 5)

    def step(i):
        loss = nn.functional.cross_entropy(net(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict():
        net.eval()
        with torch.no_grad():
            out = net(probe)
        net.train()
        return out

    def save(path):
        torch.save([net.state_dict(), optimizer.state_dict()], path)

    def load(path):
        net_state, opt_state = torch.load(path)
        net.load_state_dict(net_state)
        optimizer.load_state_dict(opt_state)

    return TrainingRun(components={"net": net, "optimizer": optimizer}, step=step, save=save, load=load, predict=predict)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

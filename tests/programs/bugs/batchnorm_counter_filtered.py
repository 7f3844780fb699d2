"""Integer tensors are filtered out when saving, so BatchNorm's counter restarts: pytorch/pytorch#110361, mapillary/inplace_abn#130."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pytest_ckpt import TrainingRun

DOC = "Only floating point tensors are saved; num_batches_tracked restarts at 0 and the cumulative average (momentum=None) weighs later batches wrongly."
NAMES = ["num_batches_tracked"]


def build_net():
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8, momentum=None), nn.ReLU(), nn.Linear(8, 1))


def build_loader():
    g = torch.Generator().manual_seed(12)
    x = torch.randn(36, 4, generator=g) * 2 + 1
    return DataLoader(TensorDataset(x, x.square().sum(1, keepdim=True)), batch_size=6, shuffle=False, num_workers=0)


def make_run(fixed):
    torch.manual_seed(1234)
    net = build_net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    batches = list(build_loader())

    def train_step(i):
        net.train()
        x, y = batches[i]
        loss = nn.functional.smooth_l1_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict():
        net.eval()
        with torch.no_grad():
            out = net(batches[0][0])
        net.train()
        return out

    def save(path):
        state = net.state_dict()
        if not fixed:  # "optimizers and EMA cannot handle integer tensors"
            state = {k: v for k, v in state.items() if v.is_floating_point()}
        torch.save({"net": state, "optimizer": optimizer.state_dict()}, path)

    def load(path):
        ck = torch.load(path)
        net.load_state_dict(ck["net"], strict=fixed)
        optimizer.load_state_dict(ck["optimizer"])

    return TrainingRun(components={"net": net, "optimizer": optimizer}, step=train_step, save=save, load=load, predict=predict)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

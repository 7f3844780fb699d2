"""L-BFGS is built anew on every start, as "it has no learned state".

After https://github.com/Jutho/OptimKit.jl/pull/29 (LBFGS checkpointing) and PINN scripts that save the network only.
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "L-BFGS's curvature history (old_dirs, old_stps, H_diag, prev_flat_grad) is not saved; the first step is plain descent."
NAMES = ["lbfgs", "optimizer", "old_dirs", "old_stps", "prev_flat_grad", "func_evals"]


class Pinn(nn.Module):
    """u'' = -u on an interval."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1))

    def forward(self, t):
        return self.layers(t)


def residual(net, t):
    t = t.requires_grad_(True)
    u = net(t)
    du = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
    ddu = torch.autograd.grad(du.sum(), t, create_graph=True)[0]
    return (ddu + u).square().mean() + (net(t.detach()[:1]) - 1).square().sum()


def make_run(fixed):
    net = Pinn().double()
    optimizer = torch.optim.LBFGS(net.parameters(), lr=0.3, max_iter=2, history_size=5)
    grid = torch.linspace(0, 3, 8, dtype=torch.float64).unsqueeze(1)

    def step(i):
        def closure():
            optimizer.zero_grad()
            loss = residual(net, grid.clone())
            loss.backward()
            return loss

        return optimizer.step(closure).item()

    def save(path):
        blob = {"net": net.state_dict()}
        if fixed:
            blob["lbfgs"] = optimizer.state_dict()
        torch.save(blob, path)

    def load(path):
        blob = torch.load(path)
        net.load_state_dict(blob["net"])
        if "lbfgs" in blob:
            optimizer.load_state_dict(blob["lbfgs"])

    return TrainingRun(components={"net": net, "lbfgs": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

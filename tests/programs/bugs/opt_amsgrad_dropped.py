"""A "slim" checkpoint writer keeps a list of known Adam keys; max_exp_avg_sq is not on it.

After https://github.com/pytorch/torchtitan/pull/4615 (max_exp_avg_sq has to be treated like the other moments) and
sharded-optimizer savers that name the keys they know.
"""

import pickle
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "amsgrad's running maximum is filtered out of the checkpoint and starts again from zero."
NAMES = ["max_exp_avg_sq", "amsgrad"]
KEYS = ["step", "exp_avg", "exp_avg_sq"]


def slim(optimizer, keys):
    """The state of an Adam as NumPy arrays, to be independent of the version of torch."""
    packed = optimizer.state_dict()
    state = {i: {k: v.numpy().copy() for k, v in s.items() if k in keys} for i, s in packed["state"].items()}
    return {"state": state, "param_groups": packed["param_groups"]}


def fatten(optimizer, packed):
    state = {i: {k: torch.from_numpy(v.copy()) for k, v in s.items()} for i, s in packed["state"].items()}
    for i, p in enumerate(p for g in optimizer.param_groups for p in g["params"]):
        if i in state:
            state[i].setdefault("max_exp_avg_sq", torch.zeros_like(p))
    optimizer.load_state_dict({"state": state, "param_groups": packed["param_groups"]})


def make_run(fixed):
    torch.manual_seed(8)
    xs = torch.randn(6, 16, 3) * torch.tensor([5.0, 4.0, 3.0, 1.0, 0.5, 0.2]).view(6, 1, 1)
    model = nn.Sequential(nn.Linear(3, 9), nn.Softplus(), nn.Linear(9, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, amsgrad=True)
    keys = KEYS + ["max_exp_avg_sq"] if fixed else KEYS

    def step(i):
        loss = (model(xs[i]).squeeze(1) - xs[i].norm(dim=1)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        weights = {k: v.numpy().copy() for k, v in model.state_dict().items()}
        Path(path).write_bytes(pickle.dumps({"weights": weights, "adam": slim(optimizer, keys)}))

    def load(path):
        blob = pickle.loads(Path(path).read_bytes())
        model.load_state_dict({k: torch.from_numpy(v) for k, v in blob["weights"].items()})
        fatten(optimizer, blob["adam"])

    return TrainingRun(components={"net": model, "adam": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

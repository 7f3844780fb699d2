"""Dynamic weight averaging of task losses needs the losses of the last two epochs; they are not saved.

After https://github.com/lorenmt/mtan (dynamic weight average over avg_cost of the last epochs, kept in an array)
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The history of task losses is process memory; after a resume the tasks are weighted equally for two steps."
NAMES = ["history", "task_weights"]


def make_run(fixed):
    torch.manual_seed(28)
    scenes = torch.randn(6, 8, 6)
    trunk = nn.Sequential(nn.Linear(6, 10), nn.ReLU())
    heads = nn.ModuleDict({"depth": nn.Linear(10, 1), "normal": nn.Linear(10, 3)})
    optimizer = torch.optim.Adam([*trunk.parameters(), *heads.parameters()], lr=0.02)
    history = []

    def task_weights():
        if len(history) < 2:
            return torch.ones(2)
        ratio = torch.tensor(history[-1]) / torch.tensor(history[-2])
        return 2 * (ratio / 0.5).softmax(0)

    def step(i):
        features = trunk(scenes[i])
        losses = torch.stack(
            [
                (heads["depth"](features).squeeze(1) - scenes[i].sum(1)).abs().mean(),
                (heads["normal"](features) - scenes[i][:, :3].sign()).square().mean(),
            ]
        )
        total = (task_weights() * losses).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(losses.tolist())
        return {"total": total.item(), "tasks": losses.tolist()}

    def save(path):
        parts = {"trunk": trunk, "heads": heads, "optimizer": optimizer}
        state = {name: part.state_dict() for name, part in parts.items()}
        torch.save(state | ({"history": history[-2:]} if fixed else {}), path)

    def load(path):
        state = torch.load(path)
        history[:] = state.get("history", [])
        for name, part in {"trunk": trunk, "heads": heads, "optimizer": optimizer}.items():
            part.load_state_dict(state[name])

    parts = {"trunk": trunk, "heads": heads, "optimizer": optimizer}
    return TrainingRun(components=parts, step=step, save=save, load=load, name="multi-task")


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

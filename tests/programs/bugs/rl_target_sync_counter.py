"""The target network is synchronised every three updates; the count since the last one is lost.

After https://github.com/DLR-RM/stable-baselines3/issues/597 (continued training does not continue its counters)
"""

from dataclasses import asdict, dataclass

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "since_sync restarts at 0, so the target network is updated at other steps than in the live run."
NAMES = ["since_sync", "target", "counter"]


@dataclass
class Counters:
    updates: int = 0
    since_sync: int = 0


def make_run(fixed):
    gen = torch.Generator().manual_seed(512)
    s, r = torch.randn(7, 8, 4, generator=gen), torch.rand(6, 8, generator=gen)
    q, target = nn.Linear(4, 2), nn.Linear(4, 2)
    target.load_state_dict(q.state_dict())
    optimizer = torch.optim.Adam(q.parameters(), lr=0.05)
    counters = Counters()

    def step(i):
        with torch.no_grad():
            goal = r[i] + 0.95 * target(s[i + 1]).amax(1)
        loss = nn.functional.smooth_l1_loss(q(s[i]).amax(1), goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        counters.updates += 1
        counters.since_sync += 1
        if counters.since_sync == 3:
            target.load_state_dict(q.state_dict())
            counters.since_sync = 0
        return loss.item()

    parts = {"q": q, "target": target, "optimizer": optimizer}

    def save(path):
        state = {name: part.state_dict() for name, part in parts.items()}
        torch.save({"state": state, "counters": asdict(counters)}, path)

    def load(path):
        blob = torch.load(path)
        for name, part in parts.items():
            part.load_state_dict(blob["state"][name])
        counters.updates = blob["counters"]["updates"]
        if fixed:
            counters.since_sync = blob["counters"]["since_sync"]

    return TrainingRun(components=parts, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

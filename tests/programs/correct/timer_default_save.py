"""Same idea without a save of its own: timer and run id are components, the plugin writes the file."""
import time
import uuid

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class RunInfo:
    def __init__(self):
        self.run_id = uuid.uuid4().hex
        self.start_time = time.time()
        self.resumed_from = None

    def state_dict(self):
        return {"run_id": self.run_id, "start_time": self.start_time, "written": time.time_ns()}

    def load_state_dict(self, state):
        # a resumed run is a new run in the tracker, linked to the old one
        self.resumed_from = state["run_id"]
        self.start_time = state["start_time"]


def make_run():
    model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Dropout(0.1), nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    info = RunInfo()

    def step(i):
        x = torch.randn(8, 4)
        loss = nn.functional.cross_entropy(model(x), (x.sum(1) > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer, "info": info}, step=step)

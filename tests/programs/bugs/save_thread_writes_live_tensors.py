"""Asynchronous save of live tensors: Lightning-AI/pytorch-lightning#20953/#21079, pytorch/torchtitan#930, pytorch/pytorch#144657."""
import os
import threading
import time

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "A background thread serialises the live tensors while training goes on, so the file mixes steps (depends on timing; the writer is slow on purpose)."
NAMES = ["model", "weight", "thread", "async", "live", "optim"]


class AsyncCheckpointIO:
    """Files appear under their final name when they are complete; load waits for them."""

    pending = {}

    def __init__(self, snapshot):
        self.snapshot = snapshot

    def submit(self, state, path):
        state, path = (clone(state) if self.snapshot else state), str(path)
        self.wait(path)
        if os.path.exists(path):
            os.remove(path)
        self.pending[path] = threading.Thread(target=self._write, args=(state, path))
        self.pending[path].start()

    @classmethod
    def wait(cls, path):
        thread = cls.pending.pop(path, None)
        if thread is not None:
            thread.join()

    @staticmethod
    def _write(state, path):
        time.sleep(0.03)  # waits for its turn at the upload queue
        torch.save(state, path + ".part")
        os.replace(path + ".part", path)

    def fetch(self, path, timeout=10.0):
        path = str(path)
        self.wait(path)
        end = time.monotonic() + timeout
        while not os.path.exists(path) and time.monotonic() < end:
            time.sleep(0.002)
        return torch.load(path)


def clone(tree):
    if isinstance(tree, torch.Tensor):
        return tree.detach().clone()
    if isinstance(tree, dict):
        return {k: clone(v) for k, v in tree.items()}
    return [clone(v) for v in tree] if isinstance(tree, list) else tree


def make_run(fixed):
    model = nn.Sequential(nn.Linear(6, 6), nn.Softplus(), nn.Linear(6, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    io = AsyncCheckpointIO(snapshot=fixed)
    x = torch.randn(6, 10, 6, generator=torch.Generator().manual_seed(20953))

    def step(i):
        loss = (model(x[i]) - x[i].norm(dim=1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        io.submit({"model": dict(model.state_dict()), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        ck = io.fetch(path)
        model.load_state_dict(ck["model"])
        optimizer.load_state_dict(ck["optimizer"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

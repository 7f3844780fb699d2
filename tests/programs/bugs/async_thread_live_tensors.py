"""A background thread writes the checkpoint while the next optimizer step changes the tensors in it.

https://github.com/Lightning-AI/pytorch-lightning/issues/20953, https://github.com/pytorch/torchtitan/issues/930
"""

import copy
import os
import threading
import time

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "save() hands live tensors to a writer thread; weights and moments of a later step end up in the file."
NAMES = ["0.weight", "exp_avg", "thread", "live tensor"]


class AsyncWriter:
    """One write at a time; training waits for it only at the next save."""

    def __init__(self):
        self.thread = None
        self.stepped = threading.Event()

    def submit(self, checkpoint, path):
        self.wait()
        self.stepped.clear()
        if os.path.exists(path):
            os.remove(path)
        self.thread = threading.Thread(target=self.write, args=(checkpoint, path))
        self.thread.start()

    def write(self, checkpoint, path):
        self.stepped.wait(0.02)  # the disk is slow, the training step is fast
        torch.save(checkpoint, f"{path}.part")
        os.replace(f"{path}.part", path)

    def wait(self):
        if self.thread is not None:
            self.thread.join()


def make_run(fixed):
    gen = torch.Generator().manual_seed(2)
    x = torch.randn(6, 8, 4, generator=gen)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    writer = AsyncWriter()

    def step(i):
        loss = nn.functional.mse_loss(model(x[i]), x[i].square())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        writer.stepped.set()
        return loss.item()

    def save(path):
        checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        writer.submit(copy.deepcopy(checkpoint) if fixed else checkpoint, str(path))

    def load(path):
        give_up = time.monotonic() + 5
        while not os.path.exists(path) and time.monotonic() < give_up:
            time.sleep(0.002)  # the writer of another run may be busy
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

"""A program that prints, warns, logs in color, profiles itself, and has a callable object as its step."""
import contextlib
import functools
import logging
import sys
import time
import warnings

import torch
from torch import nn

from pytest_ckpt import TrainingRun

log = logging.getLogger("trainer")


def timed(f):
    @functools.wraps(f)
    def inner(*args, **kwargs):
        start = time.perf_counter()
        try:
            return f(*args, **kwargs)
        finally:
            inner.seconds = getattr(inner, "seconds", 0.0) + time.perf_counter() - start
    return inner


class Step:
    def __init__(self, model, optimizer):
        self.model, self.optimizer, self.calls = model, optimizer, 0

    def __call__(self, i, *, verbose=True):
        self.calls += 1
        x = torch.linspace(0, 1, 12).view(4, 3).mul(i + 1).sin()
        self.optimizer.zero_grad()
        loss = self.model(x).logsumexp(1).mean()
        loss.backward()
        self.optimizer.step()
        if verbose:
            print(f"\rstep {i} (call {self.calls}) loss {loss:.4f}", end="", file=sys.stderr)
        log.warning("loss %.3f", loss.item())
        warnings.warn("this loss is bounded by nothing", UserWarning, stacklevel=1)
        return loss.item()


@timed
def save(path, *, model, optimizer):
    print("writing", path)
    with contextlib.redirect_stdout(sys.stderr):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "argv": list(sys.argv)}, path)


@timed
def load(path, *, model, optimizer):
    s = torch.load(path)
    model.load_state_dict(s["model"])
    optimizer.load_state_dict(s["optimizer"])
    return len(s)


def make_run():
    parts = {"model": nn.Linear(3, 4), }
    parts["optimizer"] = torch.optim.RAdam(parts["model"].parameters(), lr=1e-2)
    return TrainingRun(components=parts, step=Step(**parts), save=functools.partial(save, **parts),
                       load=functools.partial(load, **parts), name="chatty")

"""The same program with many kinds of step results, None and live tensors among them: RUNS lists them."""
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun

Result = namedtuple("Result", "loss accuracy")

RETURNS = {
    "none": lambda loss, out, model: None,
    "tensor_with_graph": lambda loss, out, model: loss,
    "live_weight": lambda loss, out, model: model.weight,
    "live_dict": lambda loss, out, model: {"loss": loss.item(), "w": model.weight, "grad": model.weight.grad},
    "tuple": lambda loss, out, model: (loss.item(), out.detach()),
    "namedtuple": lambda loss, out, model: Result(loss.item(), float((out > 0).float().mean())),
    "string": lambda loss, out, model: f"{loss.item():.17g}",
    "nested": lambda loss, out, model: {"a": [loss.item(), (1, None, True)], 3: {"nan": float("nan"), "neg": -0.0}},
    "numpy": lambda loss, out, model: {"loss": np.float32(loss.item()), "out": out.detach().numpy().copy()},
    "int_keys": lambda loss, out, model: {n: v for n, v in enumerate(out.flatten().tolist())},
    "constant": lambda loss, out, model: "ok",
}


def _make(kind):
    def make_run():
        model = nn.Linear(3, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

        def step(i):
            x = torch.arange(12.0).view(4, 3).mul(i + 1).cos()
            optimizer.zero_grad()
            out = model(x)
            loss = (out - x[:, :1]).pow(2).mean()
            loss.backward()
            optimizer.step()
            return RETURNS[kind](loss, out, model)

        def save(path):
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

        def load(path):
            s = torch.load(path)
            model.load_state_dict(s["model"])
            optimizer.load_state_dict(s["optimizer"])

        return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load,
                           name=kind)

    make_run.__name__ = make_run.__qualname__ = f"make_run_{kind}"
    return make_run


RUNS = [_make(kind) for kind in RETURNS]
globals().update({f.__name__: f for f in RUNS})

"""NoamOpt from "The Annotated Transformer": the step count belongs to the wrapper, which has no state_dict.

https://github.com/joeynmt/joeynmt/pull/127 (custom schedulers had no state_dict, training restarted the schedule)
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The wrapped Adam is saved, the Noam wrapper's _step is not; warm-up starts again."
NAMES = ["noam", "._step", ".lr", "['lr']", "'lr'", "learning rate", "learning_rate"]


class NoamOpt:
    def __init__(self, size, factor, warmup, optimizer):
        self.optimizer, self.size, self.factor, self.warmup = optimizer, size, factor, warmup
        self._step = 0

    def step(self):
        self._step += 1
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self._step)
        self.optimizer.step()

    def rate(self, step):
        return self.factor * self.size**-0.5 * min(step**-0.5, step * self.warmup**-1.5)


def make_run(fixed):
    torch.manual_seed(1234567)
    source = torch.randn(6, 4, 5, 8)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    noam = NoamOpt(8, 0.5, 4, torch.optim.Adam(layer.parameters(), lr=0, betas=(0.9, 0.98), eps=1e-9))

    def run_batch(i):
        loss = nn.functional.mse_loss(layer(source[i]), source[i].flip(1))
        layer.zero_grad()
        loss.backward()
        noam.step()
        return loss.item()

    def save_checkpoint(path):
        state = {"layer": layer.state_dict(), "adam": noam.optimizer.state_dict()}
        if fixed:
            state["noam_step"] = noam._step
        torch.save(state, path)

    def load_checkpoint(path):
        state = torch.load(path)
        layer.load_state_dict(state["layer"])
        noam.optimizer.load_state_dict(state["adam"])
        if fixed:
            noam._step = state["noam_step"]

    return TrainingRun(
        components={"encoder": layer, "adam": noam.optimizer},
        step=run_batch,
        save=save_checkpoint,
        load=load_checkpoint,
        name="annotated-transformer",
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

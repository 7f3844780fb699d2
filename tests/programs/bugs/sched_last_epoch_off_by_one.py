"""The scheduler is rebuilt with last_epoch = the number of finished epochs, one too many.

https://github.com/pytorch/vision/pull/1628 (review: "should this be last_epoch or last_epoch + 1?"),
https://github.com/vllm-project/speculators/pull/900 (the seed has to be global_step - 1)
"""

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from pytest_ckpt import TrainingRun

DOC = "resume builds LambdaLR with last_epoch=epochs_done, although the constructor itself makes one step."
NAMES = ["last_epoch", ".lr", "['lr']", "'lr'", "learning rate", "learning_rate", "scheduler"]


def poly(epoch):
    return (1 - epoch / 10) ** 0.9


def make_run(fixed):
    torch.manual_seed(17)
    x = torch.randn(6, 20, 3)
    y = x @ torch.tensor([1.0, -2.0, 0.5])
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.5)
    run = {"epoch": 0, "scheduler": LambdaLR(optimizer, poly)}

    def train_epoch(epoch):
        loss = (model(x[epoch]).squeeze(-1) - y[epoch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run["scheduler"].step()
        run["epoch"] = epoch + 1
        return loss.item()

    def save(path):
        torch.save({"epoch": run["epoch"], "model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        run["epoch"] = checkpoint["epoch"]
        done = checkpoint["epoch"] - 1 if fixed else checkpoint["epoch"]
        run["scheduler"] = LambdaLR(optimizer, poly, last_epoch=done)

    # LambdaLR's own step count differs after a rebuild, so the schedule is not a component here
    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=train_epoch, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

"""Stochastic weight averaging from step 3 on, with SWALR; batch norm of the average is refreshed when asked."""
import copy

import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn

from pytest_ckpt import TrainingRun

SWA_START = 3
DATA = [torch.randn(6, 3, generator=torch.Generator().manual_seed(n)) for n in range(4)]


def make_run():
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
    swa_model = AveragedModel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)
    swa_scheduler = SWALR(optimizer, anneal_strategy="linear", anneal_epochs=2, swa_lr=0.05)
    # SWALR writes the group's rates when built
    parts = {"model": model, "swa_model": swa_model, "optimizer": optimizer, "scheduler": scheduler,
             "swa_scheduler": swa_scheduler}

    def step(i):
        x = DATA[i % 4]
        optimizer.zero_grad()
        loss = (model(x) - x.pow(2).sum(1, keepdim=True)).pow(2).mean()
        loss.backward()
        optimizer.step()
        if i >= SWA_START:
            swa_model.update_parameters(model)
            swa_scheduler.step()
        else:
            scheduler.step()
        return loss.item(), optimizer.param_groups[0]["lr"]

    def save(path):
        torch.save({k: v.state_dict() for k, v in parts.items()}, path)

    def load(path):
        state = torch.load(path, weights_only=False)
        for k, v in parts.items():
            v.load_state_dict(state[k])

    def predict():
        final = copy.deepcopy(swa_model)
        update_bn(DATA, final)
        with torch.no_grad():
            return final.eval()(DATA[0])

    return TrainingRun(components=parts, step=step, save=save, load=load, predict=predict)

"""SAM.state_dict() has SAM's own entries; the base optimizer's momenta are elsewhere.

https://github.com/davda54/sam/issues/73 ("the saved state size is more than halved")
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The wrapped Adam of SAM is not part of SAM's state_dict, so its moments are lost."
NAMES = ["base_optimizer", "exp_avg", "sam.base"]


class SAM(torch.optim.Optimizer):
    def __init__(self, params, base_optimizer, rho=0.05, **kwargs):
        super().__init__(params, {"rho": rho, **kwargs})
        self.base_optimizer = base_optimizer([p for g in self.param_groups for p in g["params"]], **kwargs)

    @torch.no_grad()
    def first_step(self):
        params = [p for g in self.param_groups for p in g["params"]]
        norm = torch.stack([p.grad.norm() for p in params]).norm() + 1e-12
        for p in params:
            self.state[p]["old_p"] = p.detach().clone()
            p.add_(p.grad * (self.param_groups[0]["rho"] / norm))

    @torch.no_grad()
    def second_step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.copy_(self.state[p]["old_p"])
        self.base_optimizer.step()


class FullSAM(SAM):
    def state_dict(self):
        return super().state_dict() | {"base": self.base_optimizer.state_dict()}

    def load_state_dict(self, state):
        self.base_optimizer.load_state_dict(state["base"])
        super().load_state_dict({k: v for k, v in state.items() if k != "base"})


def make_run(fixed):
    torch.manual_seed(500)
    x, y = torch.randn(6, 10, 5), torch.randint(0, 3, (6, 10))
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = (FullSAM if fixed else SAM)(model.parameters(), torch.optim.Adam, lr=0.02)

    def step(i):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.first_step()
        model.zero_grad()
        nn.functional.cross_entropy(model(x[i]), y[i]).backward()
        optimizer.second_step()
        model.zero_grad()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optz_state_dict": optimizer.state_dict()}, path)

    def load(path):
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optz_state_dict"])

    return TrainingRun(components={"model": model, "sam": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

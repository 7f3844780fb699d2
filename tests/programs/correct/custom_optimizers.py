"""Optimizers of one's own: SAM around SGD, Lookahead with slow weights, and one with a counter in its group."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Lookahead(torch.optim.Optimizer):
    def __init__(self, params, lr=0.05, k=2, alpha=0.5):
        super().__init__(params, {"lr": lr, "k": k, "alpha": alpha, "count": 0})

    @torch.no_grad()
    def step(self, closure=None):
        with torch.enable_grad():
            loss = closure()
        for g in self.param_groups:
            g["count"] += 1
            for p in g["params"]:
                slow = self.state[p].setdefault("slow", p.clone())
                p.sub_(g["lr"] * p.grad)
                if g["count"] % g["k"] == 0:
                    slow.lerp_(p, g["alpha"])
                    p.copy_(slow)
        return loss


class SAM(torch.optim.SGD):
    """Sharpness-aware: climbs, takes the gradient there, comes back, and then steps."""

    def step(self, closure):
        with torch.enable_grad():
            loss = closure()
        params = [p for g in self.param_groups for p in g["params"]]
        with torch.no_grad():
            norm = torch.stack([p.grad.norm() for p in params]).norm() + 1e-12
            ups = [0.05 * p.grad / norm for p in params]
            for p, e in zip(params, ups):
                p.add_(e)
        closure()
        with torch.no_grad():
            for p, e in zip(params, ups):
                p.sub_(e)
        super().step()
        return loss


def _program(make_optimizer):
    model = nn.Sequential(nn.Linear(3, 6), nn.Softsign(), nn.Linear(6, 1))
    optimizer = make_optimizer(model.parameters())

    def step(i):
        def closure():
            x = torch.linspace(-1, 1, 15).view(5, 3).mul(1 + i)
            optimizer.zero_grad()
            loss = (model(x) - x[:, :1].exp()).pow(2).mean()
            loss.backward()
            return loss
        return optimizer.step(closure).item()

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        s = torch.load(path)
        model.load_state_dict(s["model"])
        optimizer.load_state_dict(s["optimizer"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_run_lookahead():
    return _program(Lookahead)


def make_run_sam():
    return _program(lambda p: SAM(p, lr=0.05, momentum=0.9))


RUNS = [make_run_lookahead, make_run_sam]

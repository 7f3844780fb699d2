"""L-BFGS with strong Wolfe line search and a closure; several evaluations in one step."""
import torch

from pytest_ckpt import TrainingRun


class Rosenbrock(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.xy = torch.nn.Parameter(torch.tensor([-1.5, 2.0]) + 0.1 * torch.randn(2))

    def forward(self):
        x, y = self.xy
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def make_run():
    f = Rosenbrock()
    opt = torch.optim.LBFGS(f.parameters(), lr=0.5, max_iter=3, history_size=4, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        value = f()
        value.backward()
        return value

    def step(i):
        return opt.step(closure)

    def save(path):
        torch.save({"f": f.state_dict(), "opt": opt.state_dict()}, path)

    def load(path):
        s = torch.load(path)
        f.load_state_dict(s["f"])
        opt.load_state_dict(s["opt"])

    return TrainingRun(components={"f": f, "opt": opt}, step=step, save=save, load=load)

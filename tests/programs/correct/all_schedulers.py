"""One small program per learning-rate schedule, each with a save of its own: RUNS lists them."""
import torch
from torch import nn
from torch.optim import lr_scheduler as S

from pytest_ckpt import TrainingRun

SCHEDULES = {
    "lambda": lambda o: S.LambdaLR(o, lambda e: 0.8 ** e),
    "multiplicative": lambda o: S.MultiplicativeLR(o, lambda e: 0.9 if e % 2 else 1.05),
    "step": lambda o: S.StepLR(o, 2, 0.5),
    "multistep": lambda o: S.MultiStepLR(o, [1, 4], 0.3),
    "constant": lambda o: S.ConstantLR(o, 0.5, 3),
    "linear": lambda o: S.LinearLR(o, 0.1, 1.0, 4),
    "exponential": lambda o: S.ExponentialLR(o, 0.7),
    "polynomial": lambda o: S.PolynomialLR(o, 5, 2.0),
    "cosine": lambda o: S.CosineAnnealingLR(o, 3),
    "warm_restarts": lambda o: S.CosineAnnealingWarmRestarts(o, 2, 2),
    "cyclic": lambda o: S.CyclicLR(o, 0.01, 0.1, step_size_up=2, mode="exp_range", gamma=0.9),
    "one_cycle": lambda o: S.OneCycleLR(o, 0.2, total_steps=40, three_phase=True),
    "plateau": lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=0, threshold=0.5),
    "sequential": lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.1, 1.0, 2), S.ExponentialLR(o, 0.8)], [3]),
    "chained": lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.5, 2), S.ExponentialLR(o, 0.9)]),
}


def _make(name):
    def make_run():
        model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        scheduler = SCHEDULES[name](optimizer)
        x = torch.linspace(-1, 2, 15).view(5, 3)

        def step(i):
            optimizer.zero_grad()
            loss = (model(x.roll(i, 0)) - x[:, :1]).pow(2).mean()
            loss.backward()
            optimizer.step()
            scheduler.step(loss.item()) if name == "plateau" else scheduler.step()
            return loss.item(), optimizer.param_groups[0]["lr"]

        def save(path):
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(),
                        "scheduler": scheduler.state_dict()}, path)

        def load(path):
            state = torch.load(path, weights_only=False)
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            scheduler.load_state_dict(state["scheduler"])

        return TrainingRun(components={"model": model, "optimizer": optimizer, "scheduler": scheduler},
                           step=step, save=save, load=load, name=name)

    make_run.__name__ = make_run.__qualname__ = f"make_run_{name}"
    return make_run


RUNS = [_make(name) for name in SCHEDULES]
globals().update({f.__name__: f for f in RUNS})

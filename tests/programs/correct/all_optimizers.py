"""One small program per optimizer and flag, in the plainest form: RUNS lists them."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

O = torch.optim
OPTIMIZERS = {
    "sgd": lambda p: O.SGD(p, lr=0.05),
    "sgd_momentum_foreach": lambda p: O.SGD(p, lr=0.05, momentum=0.9, foreach=True),
    "sgd_nesterov_fused": lambda p: O.SGD(p, lr=0.05, momentum=0.9, nesterov=True, fused=True),
    "sgd_maximize": lambda p: O.SGD(p, lr=0.05, momentum=0.5, maximize=True),
    "adam_fused_amsgrad": lambda p: O.Adam(p, lr=1e-2, amsgrad=True, fused=True),
    "adam_foreach": lambda p: O.Adam(p, lr=1e-2, foreach=True, weight_decay=0.1),
    "adam_tensor_lr": lambda p: O.Adam(p, lr=torch.tensor(1e-2), foreach=False),
    "adam_differentiable_off": lambda p: O.Adam(p, lr=1e-2, differentiable=False, decoupled_weight_decay=True),
    "adamw_maximize": lambda p: O.AdamW(p, lr=1e-2, maximize=True),
    "adafactor": lambda p: O.Adafactor(p, lr=1e-2),
    "rprop": lambda p: O.Rprop(p, lr=1e-2),
    "asgd": lambda p: O.ASGD(p, lr=1e-2, t0=2),
    "adagrad_fused": lambda p: O.Adagrad(p, lr=5e-2, lr_decay=0.1, initial_accumulator_value=0.1, fused=True),
    "adadelta_foreach": lambda p: O.Adadelta(p, foreach=True),
    "adamax": lambda p: O.Adamax(p, lr=1e-2),
    "nadam_decoupled": lambda p: O.NAdam(p, lr=1e-2, decoupled_weight_decay=True, weight_decay=0.1),
    "radam": lambda p: O.RAdam(p, lr=1e-2),
    "rmsprop_all": lambda p: O.RMSprop(p, lr=1e-3, centered=True, momentum=0.9),
    "lbfgs": lambda p: O.LBFGS(p, lr=0.5, max_iter=2, history_size=3),
}
if hasattr(O, "Muon"):
    OPTIMIZERS["muon"] = lambda p: O.Muon([q for q in p if q.ndim == 2], lr=1e-2)


def _make(name):
    def make_run():
        model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2, bias=False))
        optimizer = OPTIMIZERS[name](list(model.parameters()))
        x = torch.linspace(-1, 1, 24).view(6, 4)

        def step(i):
            def closure():
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(x * (1 + i % 3)), torch.arange(6) % 2)
                loss.backward()
                return loss

            return optimizer.step(closure)

        return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, name=name)

    make_run.__name__ = make_run.__qualname__ = f"make_run_{name}"
    return make_run


RUNS = [_make(name) for name in OPTIMIZERS]
globals().update({f.__name__: f for f in RUNS})

"""Per-channel observers start empty and are skipped as 'shape mismatch': facebookresearch/fvcore#52, pytorch/pytorch#50868."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The checkpointer skips every tensor whose shape differs from the fresh model's; observer ranges are empty in a fresh model and so are never restored."
NAMES = ["min_val", "max_val", "observer"]


class PerChannelFakeQuant(nn.Module):
    def __init__(self, resize):
        super().__init__()
        self.resize = resize
        self.register_buffer("min_val", torch.empty(0))
        self.register_buffer("max_val", torch.empty(0))

    def forward(self, x):
        low, high = x.detach().amin(0), x.detach().amax(0)
        if self.min_val.numel() == 0:
            self.min_val, self.max_val = low, high
        elif self.training:
            self.min_val, self.max_val = self.min_val.lerp(low, 0.1), self.max_val.lerp(high, 0.1)
        scale = (self.max_val - self.min_val).clamp(min=1e-4) / 15
        q = ((x - self.min_val) / scale).round().clamp(0, 15) * scale + self.min_val
        return x + (q - x).detach()

    def _load_from_state_dict(self, state_dict, prefix, *args):
        if self.resize:
            for name in ("min_val", "max_val"):
                if prefix + name in state_dict:
                    setattr(self, name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *args)


class Checkpointer:
    def __init__(self, model, optimizer, skip_mismatched):
        self.model, self.optimizer, self.skip_mismatched = model, optimizer, skip_mismatched

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        if self.skip_mismatched:
            own = self.model.state_dict()
            for k in [k for k, v in ck["model"].items() if k in own and own[k].shape != v.shape]:
                print("skip", k, "because of its shape")
                ck["model"].pop(k)
        self.model.load_state_dict(ck["model"], strict=not self.skip_mismatched)
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run(fixed):
    model = nn.Sequential()
    model.add_module("fc", nn.Linear(4, 6))
    model.add_module("observer", PerChannelFakeQuant(resize=fixed))
    model.add_module("out", nn.Linear(6, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    checkpointer = Checkpointer(model, optimizer, skip_mismatched=not fixed)
    g = torch.Generator().manual_seed(9)
    x, y = torch.randn(6, 16, 4, generator=g), torch.randn(6, 16, 2, generator=g)

    def step(i):
        loss = nn.functional.mse_loss(model(x[i] * (1 + i)), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=checkpointer.save, load=checkpointer.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

"""FP8-style amax history in get_extra_state, without set_extra_state: huggingface/transformers#38154, Lightning-AI/pytorch-lightning#17695, pytorch#62976."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The layer writes its scaling history with get_extra_state but has no set_extra_state, and strict=False hides the left-over key."
NAMES = ["extra_state", "amax"]


class ScaledLinear(nn.Linear):
    """Rounds its input to a grid whose step follows the last absolute maxima."""

    def __init__(self, *args):
        super().__init__(*args)
        self.amax_history = []

    def forward(self, x):
        if self.training:
            self.amax_history = [*self.amax_history, float(x.detach().abs().max())][-4:]
        scale = max(self.amax_history, default=1.0) / 31
        rounded = (x / scale).round().clamp(-32, 31) * scale
        return super().forward(x + (rounded - x).detach())

    def get_extra_state(self):
        return {"amax_history": list(self.amax_history)}


class RestorableScaledLinear(ScaledLinear):
    def set_extra_state(self, state):
        self.amax_history = list(state["amax_history"])


def make_run(fixed):
    layer = RestorableScaledLinear if fixed else ScaledLinear
    model = nn.Sequential(layer(4, 12), nn.ReLU(), layer(12, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    source = torch.Generator().manual_seed(5)
    inputs = [torch.randn(9, 4, generator=source) * (8 - i) for i in range(6)]

    def step(i):
        optimizer.zero_grad()
        out = model(inputs[i])
        loss = (out - inputs[i][:, :2].sin()).abs().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save({"state": model.state_dict(), "optim": optimizer.state_dict()}, path)

    def load(path):
        ck = torch.load(path)
        info = model.load_state_dict(ck["state"], strict=False)
        print("loaded, leftovers:", info.unexpected_keys)
        optimizer.load_state_dict(ck["optim"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

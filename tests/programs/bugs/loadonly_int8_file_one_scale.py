"""A weight-only int8 export whose reader uses one scale for all tensors (cf. huggingface/optimum-quanto#354, Xilinx/brevitas#386)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The int8 file has a scale per tensor, but the reader's loop leaves the last scale in the variable and uses it for every tensor; no training step."
NAMES = ["weight", "bias", "scale", "hidden", "out"]


class QuantNet(nn.Module):
    """Weights always lie on an int8 grid, so that an int8 file is exact."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(6, 9), nn.Linear(9, 2)
        with torch.no_grad():
            self.hidden.weight.mul_(6)
            for p in self.parameters():
                q, scale = quantize(p)
                p.copy_(q * scale)

    def forward(self, x):
        return self.out(self.hidden(x).relu())


def quantize(p):
    scale = 2.0 ** torch.ceil(torch.log2(p.detach().abs().max() / 127))
    return (p.detach() / scale).round().clamp(-127, 127).to(torch.int8), scale


def make_run(fixed):
    model = QuantNet().eval()

    def save(path):
        torch.save({name: quantize(p) for name, p in model.state_dict().items()}, path)

    def load(path):
        packed = torch.load(path)
        if fixed:
            state = {name: q * scale for name, (q, scale) in packed.items()}
        else:
            tensors = {}
            for name, (q, scale) in packed.items():
                tensors[name] = q
            state = {name: q * scale for name, q in tensors.items()}
        model.load_state_dict(state)

    def predict():
        with torch.no_grad():
            return model(torch.eye(6))

    return TrainingRun(components={"model": model}, save=save, load=load, predict=predict)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

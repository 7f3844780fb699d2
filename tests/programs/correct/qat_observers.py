"""Quantization-aware training: moving-average observers and learned switches, all of it buffers."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class FakeQuant(nn.Module):
    def __init__(self, momentum=0.1):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("lo", torch.tensor(float("inf")))
        self.register_buffer("hi", torch.tensor(float("-inf")))
        self.register_buffer("observer_enabled", torch.tensor([1], dtype=torch.uint8))
        self.register_buffer("fake_quant_enabled", torch.tensor([0], dtype=torch.uint8))

    def forward(self, x):
        if self.training and self.observer_enabled[0] == 1:
            lo, hi = x.detach().aminmax()
            if torch.isinf(self.lo):
                self.lo.copy_(lo), self.hi.copy_(hi)
            else:
                self.lo.lerp_(lo, self.momentum), self.hi.lerp_(hi, self.momentum)
        if self.fake_quant_enabled[0] == 0:
            return x
        scale = ((self.hi - self.lo) / 255).clamp_min(1e-6)
        zero = (-self.lo / scale).round().clamp(0, 255).int()
        return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255)


def make_run():
    model = nn.Sequential(FakeQuant(), nn.Linear(6, 12), nn.ReLU(), FakeQuant(), nn.Linear(12, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    quantizers = [m for m in model if isinstance(m, FakeQuant)]

    def step(i):
        model.train()
        for q in quantizers:
            if i == 1:
                q.fake_quant_enabled[0] = 1
            if i == 4:
                q.observer_enabled[0] = 0
        x = torch.linspace(-2, 2, 48).view(8, 6) * (1 + 0.2 * i)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), torch.arange(8) % 3)
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        s = torch.load(path)
        model.load_state_dict(s["model"])
        optimizer.load_state_dict(s["optimizer"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)

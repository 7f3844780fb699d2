"""Dead-code replacement driven by a non-persistent usage counter (cf. 'expire codes' in vector-quantize-pytorch, umran666/UniqToken#12)."""
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The counter of steps since each code was last used is a buffer with persistent=False although training updates and reads it."
NAMES = ["idle", "usage", "vq"]


class Quantizer(nn.Module):
    def __init__(self, persistent):
        super().__init__()
        self.codes = nn.Parameter(torch.randn(10, 3))
        # "only statistics, keep the checkpoint small"
        self.register_buffer("idle", torch.zeros(10, dtype=torch.long), persistent=persistent)

    def forward(self, z):
        index = torch.cdist(z, self.codes).argmin(1)
        if self.training:
            self.idle += 1
            self.idle[index] = 0
            dead = (self.idle >= 3).nonzero().flatten()[: z.shape[0]]
            if len(dead):
                with torch.no_grad():
                    self.codes[dead] = z[: len(dead)]
                self.idle[dead] = 0
        return self.codes[index]


def make_run(fixed):
    encoder, vq = nn.Linear(5, 3), Quantizer(persistent=fixed)
    optimizer = torch.optim.SGD([*encoder.parameters(), *vq.parameters()], lr=0.05, momentum=0.9)
    g = torch.Generator().manual_seed(3)
    batches = [torch.randn(6, 5, generator=g) + i for i in range(6)]

    def step(i):
        z = encoder(batches[i])
        q = vq(z)
        loss = F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    parts = {"encoder": encoder, "vq": vq, "optimizer": optimizer}

    def save(path):
        torch.save({name: part.state_dict() for name, part in parts.items()}, path)

    def load(path):
        for name, state in torch.load(path, map_location="cpu").items():
            parts[name].load_state_dict(state)

    return TrainingRun(components=parts, step=step, save=save, load=load)


def make_buggy():
    return make_run(fixed=False)


def make_fixed():
    return make_run(fixed=True)

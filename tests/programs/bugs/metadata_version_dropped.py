"""A correct `_version = 2` module whose checkpoint loses `_metadata` by re-keying: pytorch/pytorch#8481, #8430, #110361."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The saver rebuilds the state dict with a comprehension, `_metadata` is gone, and the version-1 migration (scale -> log scale) runs on version-2 data."
NAMES = ["logit_scale", "version", "metadata"]


class ContrastiveHead(nn.Module):
    _version = 2  # version 1 stored the scale itself, version 2 its logarithm

    def __init__(self, dim):
        super().__init__()
        self.image, self.text = nn.Linear(dim, 4), nn.Linear(dim, 4)
        self.logit_scale = nn.Parameter(torch.tensor(2.6))

    def forward(self, a, b):
        a, b = nn.functional.normalize(self.image(a), dim=-1), nn.functional.normalize(self.text(b), dim=-1)
        return self.logit_scale.exp() * a @ b.t()

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        if (local_metadata.get("version") or 1) < 2 and prefix + "logit_scale" in state_dict:
            state_dict[prefix + "logit_scale"] = state_dict[prefix + "logit_scale"].log()
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


def make_run(fixed):
    model = nn.Sequential()
    model.head = ContrastiveHead(6)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    g = torch.Generator().manual_seed(31)
    pairs = [(torch.randn(8, 6, generator=g), torch.randn(8, 6, generator=g)) for _ in range(6)]

    def step(i):
        logits = model.head(*pairs[i])
        target = torch.arange(8)
        loss = (nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.t(), target)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        weights = model.state_dict()
        if not fixed:
            weights = {name: tensor.cpu() for name, tensor in weights.items()}
        torch.save({"weights": weights, "optimizer": optimizer.state_dict()}, path)

    def load(path):
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["weights"])
        optimizer.load_state_dict(checkpoint["optimizer"])

    def predict():
        with torch.no_grad():
            return model.head(*pairs[0]).softmax(-1)

    return TrainingRun(components={"clip": model, "optimizer": optimizer}, step=step, save=save, load=load, predict=predict)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

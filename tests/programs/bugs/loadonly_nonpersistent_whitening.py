"""A model for inference only: the whitening measured at fit time is a non-persistent buffer (cf. rasbt/LLMs-from-scratch#916, sgl-project/SpecForge#703)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The whitening mean and scale are measured on data when the model is built, are not persistent, and are not measured again on load; no training step."
NAMES = ["mean", "scale", "whiten"]


class Embedder(nn.Module):
    def __init__(self, persistent):
        super().__init__()
        self.project = nn.Linear(8, 4)
        self.register_buffer("mean", torch.zeros(4), persistent=persistent)
        self.register_buffer("scale", torch.ones(4), persistent=persistent)

    @torch.no_grad()
    def whiten_on(self, data):
        features = self.project(data)
        self.mean, self.scale = features.mean(0), features.std(0)
        return self

    def forward(self, x):
        return nn.functional.normalize((self.project(x) - self.mean) / self.scale, dim=-1)


CORPUS = torch.randn(50, 8, generator=torch.Generator().manual_seed(916)) * 3 + 1


def make_run(fixed):
    model = Embedder(persistent=fixed).whiten_on(CORPUS).eval()

    def save(path):
        torch.save(model.state_dict(), path)

    def load(path):
        model.load_state_dict(torch.load(path))

    def predict():
        with torch.no_grad():
            return model(CORPUS[:3])

    return TrainingRun(components={"embedder": model}, save=save, load=load, predict=predict, name="embedder")


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

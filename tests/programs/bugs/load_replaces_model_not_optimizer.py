"""`self.model = torch.load(path)` while the optimizer keeps the first model's parameters: kitzeslab/opensoundscape#351, pytorch/pytorch#2773."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() replaces the whole model object but not the optimizer, which goes on updating the model that was thrown away."
NAMES = ["optimizer", "param"]


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.classifier = nn.Linear(12, 2)

    def forward(self, x):
        return self.classifier(self.features(x))


class Learner:
    def __init__(self, rebuild):
        self.rebuild = rebuild
        self.network = CNN()
        self._init_optimizer()
        self.samples = torch.rand(6, 6, 1, 7, 7, generator=torch.Generator().manual_seed(351))

    def _init_optimizer(self):
        self.optimizer = torch.optim.SGD(
            [{"params": self.network.features.parameters(), "lr": 0.05}, {"params": self.network.classifier.parameters(), "lr": 0.2}], momentum=0.9
        )

    def train_step(self, i):
        x = self.samples[i]
        labels = (x.mean((1, 2, 3)) > 0.5).long()
        loss = nn.functional.cross_entropy(self.network(x), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"network": self.network, "optimizer_state": self.optimizer.state_dict()}, path)

    def load(self, path):
        saved = torch.load(path, weights_only=False)
        self.network = saved["network"]
        if self.rebuild:
            self._init_optimizer()
        self.optimizer.load_state_dict(saved["optimizer_state"])


def make_run(fixed):
    learner = Learner(rebuild=fixed)
    return TrainingRun(
        components=lambda: {"network": learner.network, "optimizer": learner.optimizer}, step=learner.train_step, save=learner.save, load=learner.load
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

"""load() returns the model ready for inference (eval mode, grads off); a training step switches it back."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Classifier:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(4, 10), nn.BatchNorm1d(10), nn.ReLU(), nn.Linear(10, 2))
        self.opt = torch.optim.Adagrad(self.net.parameters(), lr=0.05)

    def fit_batch(self, i):
        self.net.train().requires_grad_(True)
        x = torch.tan(torch.arange(32.0) / (i + 20)).view(8, 4)
        self.opt.zero_grad()
        loss = nn.functional.cross_entropy(self.net(x), torch.arange(8) % 2)
        loss.backward()
        self.opt.step()
        return loss.item()

    def save(self, path):
        was = self.net.training
        self.net.eval()
        torch.save({"net": self.net.state_dict(), "opt": self.opt.state_dict()}, path)
        self.net.train(was)

    def load(self, path):
        s = torch.load(path)
        self.net.load_state_dict(s["net"])
        self.opt.load_state_dict(s["opt"])
        self.net.eval().requires_grad_(False)
        return self

    def predict(self):
        with torch.no_grad():
            self.net.eval()
            return self.net(torch.ones(2, 4)).softmax(-1)


def make_run():
    c = Classifier()
    return TrainingRun(components={"net": c.net, "opt": c.opt}, step=c.fit_batch, save=c.save, load=c.load,
                       predict=c.predict, name="classifier")

"""Only named_parameters() are saved: running statistics are lost (a frequent question, e.g. pytorch/pytorch#8430 and its duplicates)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The checkpoint holds named_parameters() only; BatchNorm's running_mean and running_var come back as 0 and 1."
NAMES = ["running_mean", "running_var"]


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 6, 3, padding=1)
        self.bn = nn.BatchNorm1d(6)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(self.bn(self.conv(x)).relu().mean(-1))


class Engine:
    def __init__(self, complete):
        self.complete = complete
        self.model = ConvNet()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
        g = torch.Generator().manual_seed(404)
        self.x = torch.randn(6, 8, 2, 10, generator=g) * 3 + 2
        self.y = torch.randint(0, 3, (6, 8), generator=g)
        self.history = []

    def run_iter(self, i):
        self.model.train()
        logits = self.model(self.x[i])
        loss = nn.functional.cross_entropy(logits, self.y[i], label_smoothing=0.1)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.history.append(loss.item())
        return loss.item(), logits.detach().argmax(1)

    @torch.no_grad()
    def predict(self):
        was, _ = self.model.training, self.model.eval()
        out = self.model(self.x[0])
        self.model.train(was)
        return out

    def save(self, path):
        weights = self.model.state_dict() if self.complete else {n: p.detach() for n, p in self.model.named_parameters()}
        torch.save({"weights": weights, "optimizer": self.optimizer.state_dict(), "history": self.history}, path)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["weights"], strict=False)
        self.optimizer.load_state_dict(ck["optimizer"])
        self.history = list(ck["history"])


def make_run(fixed):
    e = Engine(complete=fixed)
    return TrainingRun(components={"model": e.model, "optimizer": e.optimizer}, step=e.run_iter, save=e.save, load=e.load, predict=e.predict)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

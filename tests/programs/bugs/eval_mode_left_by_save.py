"""save() evaluates and leaves the model in eval mode: ThilinaRajapakse/simpletransformers#941, MILVLG/mcan-vqa#26, tk-rusch/coRNN#1."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "save() calls model.eval() for a validation score and never train() again; after a checkpoint the live run trains without dropout."
NAMES = ["eval", "training", "train mode", "dropout", "mode"]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp, self.drop, self.out = nn.Linear(5, 20), nn.Dropout(0.4), nn.Linear(20, 3)

    def forward(self, x):
        return self.out(self.drop(torch.relu(self.inp(x))))


class Trainer:
    def __init__(self, back_to_train):
        self.back_to_train = back_to_train
        self.model = Classifier()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        g = torch.Generator().manual_seed(23)
        self.x, self.y = torch.randn(7, 12, 5, generator=g), torch.randint(0, 3, (7, 12), generator=g)
        self.model.train()

    def step(self, i):
        loss = nn.functional.cross_entropy(self.model(self.x[i]), self.y[i])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def accuracy(self):
        self.model.eval()
        with torch.no_grad():
            score = (self.model(self.x[6]).argmax(1) == self.y[6]).float().mean().item()
        if self.back_to_train:
            self.model.train()
        return score

    def save(self, path):
        score = self.accuracy()
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "accuracy": score, "rng": torch.get_rng_state()}, path)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        torch.set_rng_state(ck["rng"])
        print("resumed at accuracy", ck["accuracy"])


def make_run(fixed):
    t = Trainer(back_to_train=fixed)
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

"""Sequence length grows whenever the loss falls; the reached difficulty is not checkpointed.

After DeepSpeed's curriculum scheduler (current_difficulty) and https://github.com/mozilla/DeepSpeech/issues/611 (curriculum
order violated on resume)
"""

import json
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The curriculum's difficulty and last loss are kept in memory only; a resumed run goes back to short sequences."
NAMES = ["difficulty", "curriculum"]


class Curriculum:
    def __init__(self):
        self.difficulty, self.last_loss = 2, None

    def update(self, loss):
        if self.last_loss is None or loss < 1.2 * self.last_loss:
            self.difficulty = min(8, self.difficulty + 1)
        self.last_loss = loss


class Trainer:
    def __init__(self):
        torch.manual_seed(66)
        self.texts = torch.randint(0, 12, (6, 5, 10))
        self.model = nn.ModuleDict({"emb": nn.Embedding(12, 6), "rnn": nn.RNN(6, 8), "out": nn.Linear(8, 12)})
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.02)
        self.curriculum = Curriculum()

    def step(self, i):
        text = self.texts[i, :, : self.curriculum.difficulty + 1].T
        hidden, _ = self.model["rnn"](self.model["emb"](text[:-1]))
        loss = nn.functional.cross_entropy(self.model["out"](hidden).flatten(0, 1), text[1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.curriculum.update(loss.item())
        return loss.item()

    def save(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.model.state_dict(), folder / "model.pt")
        torch.save(self.optimizer.state_dict(), folder / "optimizer.pt")

    def load(self, folder):
        self.model.load_state_dict(torch.load(Path(folder) / "model.pt"))
        self.optimizer.load_state_dict(torch.load(Path(folder) / "optimizer.pt"))


class MendedTrainer(Trainer):
    def save(self, folder):
        super().save(folder)
        (Path(folder) / "curriculum.json").write_text(json.dumps(vars(self.curriculum)))

    def load(self, folder):
        super().load(folder)
        vars(self.curriculum).update(json.loads((Path(folder) / "curriculum.json").read_text()))


def make_run(fixed):
    t = MendedTrainer() if fixed else Trainer()
    return TrainingRun({"model": t.model, "optimizer": t.optimizer}, t.step, t.save, t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

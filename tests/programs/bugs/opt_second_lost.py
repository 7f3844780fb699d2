"""Two optimizers, one saved: embeddings have Adagrad, the rest has AdamW, the saver knows optimizers[0].

After https://github.com/amjltc295/pytorch-golden-template/pull/52 (optimizer made plural, resume left singular).
"""

import json
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Only the first of two optimizers is checkpointed; Adagrad's accumulated squares are lost."
NAMES = ["adagrad", "].sum", "optimizers", "optimizer_1"]


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 6)
        self.out = nn.Linear(6, 4)

    def forward(self, ids):
        return self.out(self.table(ids).mean(1))


def make_run(fixed):
    torch.manual_seed(31)
    ids, tags = torch.randint(0, 20, (6, 8, 3)), torch.randint(0, 4, (6, 8))
    tagger = Tagger()
    optimizers = [
        torch.optim.AdamW(tagger.out.parameters(), lr=1e-2),
        torch.optim.Adagrad(tagger.table.parameters(), lr=0.5),
    ]

    def step(i):
        loss = nn.functional.cross_entropy(tagger(ids[i]), tags[i])
        tagger.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return loss.item()

    def save(folder):
        os.makedirs(folder, exist_ok=True)
        torch.save(tagger.state_dict(), os.path.join(folder, "pytorch_model.bin"))
        for n, optimizer in enumerate(optimizers if fixed else optimizers[:1]):
            torch.save(optimizer.state_dict(), os.path.join(folder, f"optimizer_{n}.bin"))
        with open(os.path.join(folder, "trainer_state.json"), "w") as f:
            json.dump({"optimizers": len(optimizers)}, f)

    def load(folder):
        tagger.load_state_dict(torch.load(os.path.join(folder, "pytorch_model.bin")))
        for n, optimizer in enumerate(optimizers):
            file = os.path.join(folder, f"optimizer_{n}.bin")
            if os.path.exists(file):
                optimizer.load_state_dict(torch.load(file))

    return TrainingRun(
        components={"tagger": tagger, "adamw": optimizers[0], "adagrad": optimizers[1]},
        step=step,
        save=save,
        load=load,
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

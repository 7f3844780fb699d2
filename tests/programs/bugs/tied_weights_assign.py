"""assign=True breaks tied weights: pytorch/pytorch#188346, TransformerLensOrg/TransformerLens#1725, huggingface/accelerate#1204, facebookresearch/lingua#74."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load_state_dict(assign=True) gives the output layer its own tensor, so after a resume it no longer follows the embedding."
NAMES = ["tie", "shared", "lm_head", "decoder", "assign"]


class TiedLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(14, 6)
        self.rnn = nn.GRU(6, 6, batch_first=True)
        self.decoder = nn.Linear(6, 14, bias=False)
        self.tie_weights()

    def tie_weights(self):
        self.decoder.weight = self.embedding.weight

    def forward(self, ids):
        return self.decoder(self.rnn(self.embedding(ids))[0])

    def trainable(self):
        return [self.embedding.weight, *self.rnn.parameters()]


def make_optimizer(model):
    return torch.optim.Adam(model.trainable(), lr=1e-2)


def make_run(fixed):
    session = {"model": TiedLM()}
    session["optimizer"] = make_optimizer(session["model"])
    corpus = torch.randint(0, 14, (6, 3, 8), generator=torch.Generator().manual_seed(19))

    def step(i):
        ids = corpus[i]
        logits = session["model"](ids[:, :-1])
        loss = nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:])
        session["optimizer"].zero_grad()
        loss.backward()
        session["optimizer"].step()
        return loss.item()

    def save(path):
        torch.save({k: v.state_dict() for k, v in session.items()}, path)

    def load(path):
        ck = torch.load(path)
        session["model"].load_state_dict(ck["model"], assign=True)
        if fixed:
            session["model"].tie_weights()
        session["optimizer"] = make_optimizer(session["model"])
        session["optimizer"].load_state_dict(ck["optimizer"])

    return TrainingRun(components=lambda: dict(session), step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

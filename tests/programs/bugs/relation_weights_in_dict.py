"""Parameters kept in a python dict of dicts: pytorch/pytorch#632 ('parameters not registered in module')."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Per-relation nn.Parameters live in a plain dict; they are optimised but not saved."
NAMES = ["relation"]


class RelationScorer(nn.Module):
    RELATIONS = ("is_a", "part_of", "causes")

    def __init__(self, register):
        super().__init__()
        self.entity = nn.Embedding(12, 4)
        weights = {r: nn.Parameter(torch.eye(4) + 0.3 * torch.randn(4, 4)) for r in self.RELATIONS}
        self.relation = nn.ParameterDict(weights) if register else weights

    def score(self, head, relation, tail):
        return ((self.entity(head) @ self.relation[relation]) * self.entity(tail)).sum(-1)


def triples():
    g = torch.Generator()
    g.manual_seed(77)
    while True:
        yield torch.randint(0, 12, (3, 8), generator=g)


def make_run(fixed):
    model = RelationScorer(register=fixed)
    optimizer = torch.optim.Adagrad([*model.entity.parameters(), *model.relation.values()], lr=0.1)
    stream = triples()
    batches = [next(stream) for _ in range(6)]

    def step(i):
        head, tail, noise = batches[i % 6]
        relation = model.RELATIONS[i % 3]
        margin = 1 - model.score(head, relation, tail) + model.score(head, relation, noise)
        loss = margin.clamp(min=0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save((model.state_dict(), optimizer.state_dict()), path)

    def load(path):
        weights, opt = torch.load(path)
        model.load_state_dict(weights)
        optimizer.load_state_dict(opt)

    return TrainingRun(components={"scorer": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

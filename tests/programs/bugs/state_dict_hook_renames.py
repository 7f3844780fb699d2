"""A state-dict post hook renames keys for export, nothing renames them back (the pattern behind huggingface/transformers#35123, fairseq2#308)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "A state_dict hook writes 'blocks.*' as 'layers.*'; loading with strict=False has no hook for the way back and ignores them."
NAMES = ["block", "layers"]


def export_names(module, state_dict, prefix, local_metadata):
    for key in [k for k in state_dict if k.startswith(prefix + "blocks.")]:
        state_dict[key.replace("blocks.", "layers.", 1)] = state_dict.pop(key)


def import_names(module, state_dict, prefix, *args):
    for key in [k for k in state_dict if k.startswith(prefix + "layers.")]:
        state_dict[key.replace("layers.", "blocks.", 1)] = state_dict.pop(key)


class Encoder(nn.Module):
    def __init__(self, two_way):
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.blocks = nn.ModuleList(nn.Linear(8, 8) for _ in range(2))
        self.head = nn.Linear(8, 20)
        self.register_state_dict_post_hook(export_names)
        if two_way:
            self.register_load_state_dict_pre_hook(import_names)

    def forward(self, ids):
        h = self.embed(ids)
        for block in self.blocks:
            h = h + torch.tanh(block(h))
        return self.head(h)


class LMTrainer:
    def __init__(self, two_way):
        self.model = Encoder(two_way)
        self.optim = torch.optim.AdamW(self.model.parameters(), lr=3e-3, weight_decay=0.1)
        self.sched = torch.optim.lr_scheduler.CosineAnnealingLR(self.optim, 6)
        self.text = torch.randint(0, 20, (6, 17), generator=torch.Generator().manual_seed(2))

    def step(self, i):
        ids = self.text[i]
        loss = nn.functional.cross_entropy(self.model(ids[:-1]), ids[1:])
        self.optim.zero_grad()
        loss.backward()
        self.optim.step()
        self.sched.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optim": self.optim.state_dict(), "sched": self.sched.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"], strict=False)
        self.optim.load_state_dict(ck["optim"])
        self.sched.load_state_dict(ck["sched"])


def make_run(fixed):
    t = LMTrainer(two_way=fixed)
    return TrainingRun(components={"model": t.model, "optim": t.optim, "sched": t.sched}, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

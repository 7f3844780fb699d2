"""torch.compile's `_orig_mod.` prefix: rasbt/LLMs-from-scratch#580, pytorch/pytorch#101107, mlfoundations/open_lm#249, FareedKhan-dev/train-llm-from-scratch#37."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The prefix is stripped without its dot ('_orig_mod' instead of '_orig_mod.'), so no key matches and strict=False stays silent."
NAMES = ["_orig_mod", "model", "weight", "wte", "attn"]


class OptimizedModule(nn.Module):
    """Stands for what torch.compile returns."""

    def __init__(self, model):
        super().__init__()
        self._orig_mod = model

    def forward(self, *args):
        return self._orig_mod(*args)


class GPT(nn.Module):
    def __init__(self, vocab=16, dim=8):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim)
        self.attn = nn.MultiheadAttention(dim, 2, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab, bias=False)

    def forward(self, ids):
        h = self.wte(ids)
        mask = torch.full((ids.shape[1],) * 2, float("-inf")).triu(1)
        h = h + self.attn(h, h, h, attn_mask=mask, need_weights=False)[0]
        return self.lm_head(h)


class Pretrainer:
    def __init__(self, good_strip):
        self.good_strip = good_strip
        self.raw_model = GPT()
        self.model = OptimizedModule(self.raw_model)
        self.optimizer = torch.optim.AdamW(self.raw_model.parameters(), lr=1e-3, betas=(0.9, 0.95))
        self.tokens = torch.randint(0, 16, (6, 2, 9), generator=torch.Generator().manual_seed(1337))

    def step(self, i):
        x, y = self.tokens[i][:, :-1], self.tokens[i][:, 1:]
        loss = nn.functional.cross_entropy(self.model(x).flatten(0, 1), y.flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.raw_model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        unwanted = "_orig_mod." if self.good_strip else "_orig_mod"
        state = {k.removeprefix(unwanted): v for k, v in ck["model"].items()}
        self.raw_model.load_state_dict(state, strict=False)
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run(fixed):
    p = Pretrainer(good_strip=fixed)
    return TrainingRun(components={"model": p.raw_model, "optimizer": p.optimizer}, step=p.step, save=p.save, load=p.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

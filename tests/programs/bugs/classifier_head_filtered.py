"""The 'drop the head' rule of fine-tuning also runs when resuming (timm / mmengine style load_checkpoint filters; cf. IntelLabs/distiller#300)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load_checkpoint() always removes the keys of the classifier head, which is right for pretrained weights and wrong for a resume."
NAMES = ["head"]


class Backbone(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.stem = nn.Linear(7, 12)
        self.stage = nn.Linear(12, 12)
        self.head = nn.Linear(12, num_classes)

    def forward(self, x):
        return self.head(torch.relu(self.stage(torch.relu(self.stem(x)))))


def load_checkpoint(model, state, resume, respect_resume):
    if not (resume and respect_resume):
        state = {k: v for k, v in state.items() if not k.startswith("head.")}
    result = model.load_state_dict(state, strict=False)
    return result


class Runner:
    def __init__(self, respect_resume):
        self.respect_resume = respect_resume
        self.model = Backbone(4)
        self.optim_wrapper = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
        self.message_hub = {"iter": 0, "loss": None}

    def train_iter(self, i):
        g = torch.Generator().manual_seed(i)
        x, y = torch.randn(16, 7, generator=g), torch.randint(0, 4, (16,), generator=g)
        loss = nn.functional.cross_entropy(self.model(x), y)
        self.optim_wrapper.zero_grad()
        loss.backward()
        self.optim_wrapper.step()
        self.message_hub = {"iter": i + 1, "loss": loss.item()}
        return dict(self.message_hub)

    def save_checkpoint(self, path):
        torch.save({"meta": {"iter": self.message_hub["iter"]}, "state_dict": self.model.state_dict(), "optimizer": self.optim_wrapper.state_dict()}, path)

    def resume(self, path):
        ck = torch.load(path)
        load_checkpoint(self.model, ck["state_dict"], resume=True, respect_resume=self.respect_resume)
        self.optim_wrapper.load_state_dict(ck["optimizer"])
        self.message_hub["iter"] = ck["meta"]["iter"]


def make_run(fixed):
    r = Runner(respect_resume=fixed)
    return TrainingRun(components={"model": r.model, "optimizer": r.optim_wrapper}, step=r.train_iter, save=r.save_checkpoint, load=r.resume)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

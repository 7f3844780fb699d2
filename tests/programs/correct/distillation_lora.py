"""A frozen base with low-rank adapters, taught by a frozen teacher: only the adapters are in the file."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


def hub(seed, *sizes):
    """Stands for from_pretrained: always the same weights, and the global random state untouched."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
        return nn.Sequential(*[m for l in layers for m in (l, nn.Tanh())][:-1]).requires_grad_(False)


class LoRA(nn.Module):
    def __init__(self, base, r=2):
        super().__init__()
        self.base = base
        self.lora_a = nn.Parameter(torch.randn(r, base.in_features) * 0.1)
        self.lora_b = nn.Parameter(torch.zeros(base.out_features, r))

    def forward(self, x):
        return self.base(x) + x @ self.lora_a.T @ self.lora_b.T


class Distiller:
    def __init__(self):
        self.teacher = hub(1, 5, 16, 3).eval()
        self.student = hub(2, 5, 8, 3)
        for n, m in list(self.student.named_children()):
            if isinstance(m, nn.Linear):
                setattr(self.student, n, LoRA(m))
        self.trainable = [p for n, p in self.student.named_parameters() if "lora_" in n]
        self.optimizer = torch.optim.AdamW(self.trainable, lr=2e-2)

    def step(self, i):
        x = torch.arange(30.0).view(6, 5).mul(0.3 * i + 0.1).sin()
        target = self.teacher(x).softmax(1)
        loss = nn.functional.kl_div(self.student(x).log_softmax(1), target, reduction="batchmean")
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        adapters = {k: v for k, v in self.student.state_dict().items() if "lora_" in k}
        torch.save({"adapters": adapters, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        _, unexpected = self.student.load_state_dict(s["adapters"], strict=False)
        assert not unexpected
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    d = Distiller()
    return TrainingRun(components={"student": d.student, "teacher": d.teacher, "optimizer": d.optimizer},
                       step=d.step, save=d.save, load=d.load)

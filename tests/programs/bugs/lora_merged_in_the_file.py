"""LoRA is merged for the save and unmerged afterwards, but the file holds merged weights AND adapters: meta-pytorch/torchtune#2115, #1188, OpenNMT/OpenNMT-py#2354."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The checkpoint contains base weights with the adapter already merged next to the adapter itself; a resume applies the adapter twice."
NAMES = ["lora", "base", "merge", "adapter", "proj"]


class LoRALinear(nn.Module):
    def __init__(self, dim_in, dim_out, rank=2):
        super().__init__()
        self.base = nn.Linear(dim_in, dim_out)
        self.base.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.randn(rank, dim_in) * 0.2)
        self.lora_B = nn.Parameter(torch.zeros(dim_out, rank))

    def forward(self, x):
        return self.base(x) + x @ self.lora_A.t() @ self.lora_B.t()

    @torch.no_grad()
    def merged_weight(self):
        return self.base.weight + self.lora_B @ self.lora_A


class Recipe:
    def __init__(self, merge):
        self.merge = merge
        self.model = nn.Sequential(LoRALinear(6, 10), nn.GELU(), LoRALinear(10, 3))
        self.optimizer = torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=3e-2)
        g = torch.Generator().manual_seed(8)
        self.x, self.y = torch.randn(6, 14, 6, generator=g), torch.randint(0, 3, (6, 14), generator=g)

    def train_step(self, i):
        loss = nn.functional.cross_entropy(self.model(self.x[i]), self.y[i])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save_checkpoint(self, path):
        state = self.model.state_dict()
        if self.merge:  # "so that the file can be used without peft"
            for name, module in self.model.named_modules():
                if isinstance(module, LoRALinear):
                    state[f"{name}.base.weight"] = module.merged_weight()
        torch.save({"model": state, "optimizer": self.optimizer.state_dict()}, path)

    def load_checkpoint(self, path):
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])

    @torch.no_grad()
    def predict(self):
        return self.model(self.x[0])


def make_run(fixed):
    r = Recipe(merge=not fixed)
    return TrainingRun(
        components={"model": r.model, "optimizer": r.optimizer}, step=r.train_step, save=r.save_checkpoint, load=r.load_checkpoint, predict=r.predict
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

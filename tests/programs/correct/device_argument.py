"""Written for any device, run on the CPU: map_location on load, the optimizer built after the move."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self, device):
        self.device = torch.device(device)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2)).to(self.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.ema = {k: v.detach().clone() for k, v in self.model.named_parameters()}

    def step(self, i):
        self.model.train()
        x = torch.randn(8, 4).to(self.device, non_blocking=True)
        y = (x.sum(1) > 0).long()
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=False):
            loss = nn.functional.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            for k, p in self.model.named_parameters():
                self.ema[k].lerp_(p, 0.1)
        return loss.detach()

    def rng(self):
        return {"cpu": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "ema": self.ema,
                    "rng": self.rng()}, path)

    def load(self, path):
        s = torch.load(path, map_location="cpu")
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        self.ema = {k: v.to(self.device) for k, v in s["ema"].items()}
        torch.set_rng_state(s["rng"]["cpu"])
        for index, state in enumerate(s["rng"]["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(state, index)


def make_run(device="cpu"):
    t = Trainer(device)
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load,
                       device=device)

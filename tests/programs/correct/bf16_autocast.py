"""bfloat16 autocast over float32 weights; nothing else to keep than model and optimizer."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


def make_run():
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.GELU(),
                          nn.Conv2d(4, 4, 3, stride=2), nn.Flatten(), nn.Linear(36, 3))
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    images = torch.linspace(-1, 1, 4 * 64).view(4, 1, 8, 8).sin()

    def step(i):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(images.roll(i, 3).contiguous(memory_format=torch.channels_last))
            loss = nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0]))
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)

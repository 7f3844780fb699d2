"""A seedable sampler orders by seed + epoch; on resume set_epoch is not called.

https://github.com/nvidia-cosmos/cosmos-rl/pull/609, https://github.com/huggingface/accelerate/pull/4238
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

from pytest_ckpt import TrainingRun

DOC = "After a resume the sampler's epoch is 0 again, so the batches of the first epoch come back."
NAMES = ["epoch", "sampler"]


class SeedableSampler(Sampler):
    def __init__(self, length, seed=10):
        self.length, self.seed, self.epoch = length, seed, 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        order = torch.Generator().manual_seed(self.seed + self.epoch)
        yield from torch.randperm(self.length, generator=order).tolist()

    def __len__(self):
        return self.length


def infinite(loader, sampler, skip=0):
    """Batches for ever, a new order each epoch."""
    while True:
        for n, batch in enumerate(loader):
            if n >= skip:
                yield batch
        skip = 0
        sampler.set_epoch(sampler.epoch + 1)


def make_run(fixed):
    g = torch.Generator().manual_seed(0)
    data = TensorDataset(torch.randn(10, 3, generator=g), torch.randint(0, 2, (10,), generator=g))
    sampler = SeedableSampler(10)
    loader = DataLoader(data, batch_size=5, sampler=sampler)
    stream = infinite(loader, sampler)
    model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.03)
    global_step = 0

    def step(i):
        nonlocal global_step
        x, y = next(stream)
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        global_step += 1
        return loss.item()

    def save(path):
        torch.save({"m": model.state_dict(), "o": optimizer.state_dict(), "global_step": global_step}, path)

    def load(path):
        nonlocal stream, global_step
        state = torch.load(path, map_location="cpu")
        model.load_state_dict(state["m"])
        optimizer.load_state_dict(state["o"])
        global_step = state["global_step"]
        epoch, skip = divmod(global_step, len(loader))
        if fixed:
            sampler.set_epoch(epoch)
        stream = infinite(loader, sampler, skip)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

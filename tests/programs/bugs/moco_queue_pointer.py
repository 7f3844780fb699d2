"""MoCo's queue is saved but its pointer is not persistent (cf. facebookresearch/moco, where queue_ptr is a buffer for this reason)."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "queue_ptr is registered with persistent=False: the resumed run overwrites the newest keys instead of the oldest."
NAMES = ["ptr", "queue", "pointer"]


class MoCo(nn.Module):
    def __init__(self, dim=4, size=24, keep_pointer=True):
        super().__init__()
        self.encoder_q = nn.Linear(6, dim)
        self.encoder_k = copy.deepcopy(self.encoder_q).requires_grad_(False)
        g = torch.Generator().manual_seed(0)
        self.register_buffer("queue", nn.functional.normalize(torch.randn(dim, size, generator=g), dim=0))
        self.register_buffer("queue_ptr", torch.zeros(1, dtype=torch.long), persistent=keep_pointer)

    @torch.no_grad()
    def _enqueue(self, keys):
        ptr = int(self.queue_ptr)
        self.queue[:, ptr : ptr + len(keys)] = keys.t()
        self.queue_ptr[0] = (ptr + len(keys)) % self.queue.shape[1]

    def forward(self, im_q, im_k):
        q = nn.functional.normalize(self.encoder_q(im_q), dim=1)
        with torch.no_grad():
            for pq, pk in zip(self.encoder_q.parameters(), self.encoder_k.parameters()):
                pk.mul_(0.95).add_(pq, alpha=0.05)
            k = nn.functional.normalize(self.encoder_k(im_k), dim=1)
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ self.queue.clone()], dim=1) / 0.2
        self._enqueue(k)
        return nn.functional.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long))


def make_run(fixed):
    torch.manual_seed(42)
    model = MoCo(keep_pointer=fixed)
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.3, momentum=0.9, weight_decay=1e-4)
    images = torch.randn(6, 2, 6, 6, generator=torch.Generator().manual_seed(125))

    def train(i):
        loss = model(*images[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save_checkpoint(filename):
        torch.save({"arch": "linear", "state_dict": model.state_dict(), "optimizer": optimizer.state_dict()}, filename)

    def resume(filename):
        checkpoint = torch.load(filename)
        model.load_state_dict(checkpoint["state_dict"])
        optimizer.load_state_dict(checkpoint["optimizer"])

    return TrainingRun(components={"moco": model, "optimizer": optimizer}, step=train, save=save_checkpoint, load=resume)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

"""VQ-VAE with an EMA codebook kept as ordinary tensor attributes.

Modelled on the family around lucidrains/vector-quantize-pytorch#102 (codebook all zeros / random after reload).
"""
import torch
import torch.nn.functional as F
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The EMA codebook, its averages and its cluster sizes are plain tensor attributes, so state_dict() never holds them."
NAMES = ["codebook", "embed_avg", "cluster_size"]


class VectorQuantizerEMA(nn.Module):
    def __init__(self, codes, dim, decay=0.9, registered=True):
        super().__init__()
        self.decay = decay
        codebook = torch.randn(codes, dim)
        state = {"codebook": codebook, "embed_avg": codebook.clone(), "cluster_size": torch.ones(codes)}
        for name, value in state.items():
            if registered:
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, x):
        index = torch.cdist(x, self.codebook).argmin(dim=1)
        quantized = self.codebook[index]
        if self.training:
            hits = F.one_hot(index, self.codebook.shape[0]).to(x.dtype)
            self.cluster_size.mul_(self.decay).add_(hits.sum(0), alpha=1 - self.decay)
            self.embed_avg.mul_(self.decay).add_(hits.t() @ x.detach(), alpha=1 - self.decay)
            self.codebook.copy_(self.embed_avg / (self.cluster_size + 1e-5).unsqueeze(1))
        commitment = F.mse_loss(x, quantized)
        return x + (quantized - x).detach(), commitment


class VQVAE(nn.Module):
    def __init__(self, registered):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
        self.vq = VectorQuantizerEMA(8, 4, registered=registered)
        self.decoder = nn.Linear(4, 6)

    def forward(self, x):
        z, commitment = self.vq(self.encoder(x))
        return self.decoder(z), commitment


class Trainer:
    def __init__(self, registered):
        self.model = VQVAE(registered)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=3e-3)
        self.data = torch.randn(6, 16, 6, generator=torch.Generator().manual_seed(11))

    def train_step(self, i):
        x = self.data[i % len(self.data)]
        recon, commitment = self.model(x)
        loss = F.mse_loss(recon, x) + 0.25 * commitment
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item(), "commitment": commitment.item()}

    def save_checkpoint(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load_checkpoint(self, path):
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])


def make_run(fixed):
    t = Trainer(registered=fixed)
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.train_step, save=t.save_checkpoint, load=t.load_checkpoint)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

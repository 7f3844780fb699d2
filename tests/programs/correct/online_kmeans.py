"""Mini-batch k-means; centres are initialized from the first batch, so a fresh run has none at all."""
import torch

from pytest_ckpt import TrainingRun


class KMeans:
    def __init__(self, k):
        self.k, self.centres, self.counts = k, None, None

    def partial_fit(self, x):
        if self.centres is None:
            self.centres = x[torch.randperm(len(x))[: self.k]].clone()
            self.counts = torch.zeros(self.k)
        nearest = torch.cdist(x, self.centres).argmin(1)
        for row, c in zip(x, nearest):
            self.counts[c] += 1
            self.centres[c] += (row - self.centres[c]) / self.counts[c]
        return torch.cdist(x, self.centres).amin(1).sum().item()

    def state_dict(self):
        return {"centres": self.centres, "counts": self.counts}

    def load_state_dict(self, s):
        self.centres, self.counts = s["centres"], s["counts"]


def make_run():
    km = KMeans(3)

    def step(i):
        return km.partial_fit(torch.randn(12, 2) + 3 * (torch.arange(12) % 3)[:, None])

    def save(path):
        torch.save({"kmeans": km.state_dict(), "rng": torch.get_rng_state()}, path)

    def load(path):
        s = torch.load(path)
        km.load_state_dict(s["kmeans"])
        torch.set_rng_state(s["rng"])

    return TrainingRun(components={"kmeans": km}, step=step, save=save, load=load)

"""No optimizer and no gradient: running mean, covariance and a quantile sketch of a stream."""
import torch

from pytest_ckpt import TrainingRun


class Welford(torch.nn.Module):
    def __init__(self, d):
        super().__init__()
        self.register_buffer("n", torch.zeros((), dtype=torch.long))
        self.register_buffer("mean", torch.zeros(d, dtype=torch.double))
        self.register_buffer("m2", torch.zeros(d, d, dtype=torch.double))

    @torch.no_grad()
    def forward(self, batch):
        for x in batch.double():
            self.n += 1
            delta = x - self.mean
            self.mean += delta / self.n
            self.m2 += torch.outer(delta, x - self.mean)
        return self.m2 / (self.n - 1)


class Reservoir:
    """Keeps 5 of the values seen, uniformly."""

    def __init__(self):
        self.kept, self.seen, self.rng = [], 0, torch.Generator().manual_seed(8)

    def add(self, value):
        self.seen += 1
        if len(self.kept) < 5:
            self.kept.append(value)
        else:
            j = int(torch.randint(self.seen, (1,), generator=self.rng))
            if j < 5:
                self.kept[j] = value

    def state_dict(self):
        return {"kept": list(self.kept), "seen": self.seen, "rng": self.rng.get_state()}

    def load_state_dict(self, s):
        self.kept, self.seen = list(s["kept"]), s["seen"]
        self.rng.set_state(s["rng"])


def make_run():
    stats, sketch = Welford(3), Reservoir()

    def step(i):
        batch = torch.randn(4, 3, generator=torch.Generator().manual_seed(i))
        for x in batch:
            sketch.add(float(x.norm()))
        return stats(batch), sorted(sketch.kept)[len(sketch.kept) // 2]

    return TrainingRun(components={"stats": stats, "sketch": sketch}, step=step)

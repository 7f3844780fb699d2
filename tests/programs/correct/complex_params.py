"""Complex parameters (a learned filter in the Fourier domain) and a lazily conjugated buffer."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class SpectralFilter(nn.Module):
    def __init__(self, n=16):
        super().__init__()
        self.n = n
        self.filter = nn.Parameter(torch.randn(n // 2 + 1, dtype=torch.cfloat) * 0.1)
        self.register_buffer("last", torch.ones(n // 2 + 1, dtype=torch.cfloat))

    def forward(self, x):
        spectrum = torch.fft.rfft(x)
        y = torch.fft.irfft(spectrum * self.filter + 0.01 * self.last, n=self.n)
        self.last = spectrum.detach().mean(0).conj()  # a view with the conj bit set
        return y


def make_run():
    model = SpectralFilter()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-2)
    t = torch.linspace(0, 6.2831, 17)[:-1]
    x = torch.stack([(k * t).sin() + (t * t * k).cos() for k in (1, 2, 3)])

    def step(i):
        optimizer.zero_grad()
        loss = (model(x.roll(i, 1)) - x.cumsum(1)).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save((model.state_dict(), optimizer.state_dict()), path)

    def load(path):
        m, o = torch.load(path)
        model.load_state_dict(m)
        optimizer.load_state_dict(o)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)

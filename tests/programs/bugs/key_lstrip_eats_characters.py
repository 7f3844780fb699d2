"""`key.lstrip("model.")` used as if it were removeprefix (a bug found again and again in conversion scripts; cf. edge-connect#121's key surgery)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "str.lstrip('model.') also eats the first letters of 'decoder', so the decoder's keys match nothing and it stays random."
NAMES = ["decoder", "coder"]


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(8, 3)
        self.decoder = nn.Linear(3, 8)

    def forward(self, x):
        return self.decoder(self.encoder(x).tanh())


class LitModule(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = AutoEncoder()

    def configure_optimizers(self):
        return torch.optim.RAdam(self.model.parameters(), lr=1e-2)

    def training_step(self, batch):
        return nn.functional.mse_loss(self.model(batch), batch)


def fit(module, optimizer, batches):
    """A generator: send it the number of the step, it yields the loss."""
    loss = None
    while True:
        i = yield loss
        optimizer.zero_grad()
        value = module.training_step(batches[i])
        value.backward()
        optimizer.step()
        loss = value.item()


def make_run(fixed):
    lit = LitModule()
    optimizer = lit.configure_optimizers()
    g = torch.Generator().manual_seed(66)
    loop = fit(lit, optimizer, [torch.randn(5, 8, generator=g) for _ in range(6)])
    next(loop)

    def save(path):
        torch.save({"state_dict": lit.state_dict(), "optimizer_states": [optimizer.state_dict()]}, path)

    def load(path):
        ck = torch.load(path)
        strip = (lambda k: k.removeprefix("model.")) if fixed else (lambda k: k.lstrip("model."))
        lit.model.load_state_dict({strip(k): v for k, v in ck["state_dict"].items()}, strict=fixed)
        optimizer.load_state_dict(ck["optimizer_states"][0])

    return TrainingRun(components={"model": lit.model, "optimizer": optimizer}, step=loop.send, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)

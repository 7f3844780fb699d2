"""The training program, and the factory that shows it to pytest-ckpt."""

from __future__ import annotations

import functools
import math

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from pytest_ckpt import TrainingRun

from .data import RandomState, ShuffledBatches, augment, digits
from .ema import Best, Ema
from .model import Classifier, accuracy, parameter_groups
from .workspace import Workspace

# An epoch of four steps, so that the six steps of a check stop in the middle of one and cross its end.
SMALL = OmegaConf.create(
    {
        "model": {"width": 8, "dropout": 0.2},
        "optimizer": {"lr": 3e-3, "weight_decay": 1e-2},
        "schedule": {"warmup": 4, "steps": 40},
        "ema": {"power": 0.75, "max_decay": 0.999},
        "data": {"size": 128, "batch_size": 32, "noise": 0.1, "noise_after": 4},
    }
)


def warmup_cosine(step: int, *, warmup: int, steps: int) -> float:
    """The factor of the learning rate: up in a line, then down along a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / (steps - warmup))))


class DigitsWorkspace(Workspace):
    """Trains a classifier of digits."""

    def __init__(self, cfg: DictConfig) -> None:
        super().__init__(cfg)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.images, self.labels = (tensor.to(self.device) for tensor in digits())
        self.model = Classifier(**cfg.model).to(self.device)
        self.ema = Ema(self.model, **cfg.ema)
        self.best = Best()
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.model, cfg.optimizer.weight_decay), lr=cfg.optimizer.lr
        )
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, functools.partial(warmup_cosine, **cfg.schedule)
        )
        self.batches = ShuffledBatches(cfg.data.size, cfg.data.batch_size)
        self.random_state = RandomState()

    def train_step(self, i: int) -> dict[str, float]:
        """One step of training; at the end of an epoch, a look at the held-out images."""
        batch = self.batches.next_batch().to(self.device)
        noise = self.cfg.data.noise * min(1.0, self.global_step / self.cfg.data.noise_after)
        images = augment(self.images[batch], max_shift=min(3, 1 + self.batches.epoch), noise=noise)
        loss = nn.functional.cross_entropy(self.model(images), self.labels[batch])
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.scheduler.step()
        self.ema.update(self.model)
        self.global_step += 1
        if self.batches.epoch_ends:
            self.best.update(self.metrics()["accuracy"], self.model)
        return {"loss": loss.item(), "lr": float(self.scheduler.get_last_lr()[0])}

    def metrics(self) -> dict[str, float]:
        held_out = slice(-100, None)
        return {"accuracy": accuracy(self.model, self.images[held_out], self.labels[held_out])}

    @torch.no_grad()
    def predict(self) -> Tensor:
        """What is delivered: the averaged model's answers for the first images."""
        logits: Tensor = self.ema.averaged(self.images[:16])
        return logits


def make_run() -> TrainingRun:
    """Build the program as it starts; pytest-ckpt chooses the seed and calls this for every run.

    Saving in a thread is the hard case. pytest-ckpt lets training go on before the thread may write.
    """
    workspace = DigitsWorkspace(SMALL)
    return TrainingRun.from_object(
        workspace,
        step=workspace.train_step,
        save=functools.partial(workspace.save_checkpoint, use_thread=True),
        load=workspace.load_checkpoint,
        predict=workspace.predict,
    )

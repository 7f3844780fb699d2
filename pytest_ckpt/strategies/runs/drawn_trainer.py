"""The program behind a drawn run: models, optimizers, schedulers, data, saved by itself or by a format."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from pytest_ckpt.state.random_state import get_random_state, set_random_state
from pytest_ckpt.strategies.networks.drawn_module import DrawnModule

if TYPE_CHECKING:
    from pytest_ckpt.strategies.runs.drawn_run import DrawnRun, Part

__all__ = ["DrawnTrainer"]

_BATCHES = 5
_NOISE = 0.01
_CLIP = 0.5


class ScaledModule(nn.Module):
    """A drawn module with a factor behind it, so that there is something to train in each."""

    def __init__(self, drawn: DrawnModule) -> None:
        super().__init__()
        self.drawn = drawn
        self.gain = nn.Parameter(torch.ones(1, 1))  # a matrix, for optimizers that take nothing else

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the drawn module's output, scaled."""
        output: torch.Tensor = self.drawn(x)
        return output * self.gain.view(()).to(output.dtype)


class ShuffledOrder:
    """The order of batches, drawn anew for each epoch; as its state the rest of the epoch."""

    def __init__(self, generator: torch.Generator | None) -> None:
        self.generator = generator
        self.left: list[int] = []

    def draw(self) -> int:
        """Return the number of the next batch."""
        if not self.left:
            self.left = torch.randperm(_BATCHES, generator=self.generator).tolist()
        return self.left.pop()

    def state_dict(self) -> dict[str, Any]:
        """Return what a resume needs."""
        state: dict[str, Any] = {"left": list(self.left)}
        return state if self.generator is None else {**state, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the state was taken."""
        self.left = list(state["left"])
        if self.generator is not None:
            self.generator.set_state(state["generator"])


class _Trained:
    """One model with its optimizer and scheduler."""

    def __init__(self, part: Part) -> None:
        drawn = part.model.build()
        self.inputs = drawn.inputs
        # The factor's gradient is dense.
        self.model: nn.Module = drawn if part.optimizer.gradients == "sparse" else ScaledModule(drawn)
        if any(is_lazy(tensor) for tensor in (*self.model.parameters(), *self.model.buffers())):
            self._materialise()
        trainable = [(name, p) for name, p in self.model.named_parameters() if p.requires_grad]
        self.optimizer = part.optimizer.build(trainable)
        self.needs_closure = part.optimizer.needs_closure
        self.scheduler = None if part.scheduler is None else part.scheduler.build(self.optimizer)
        self.needs_metric = part.scheduler is not None and part.scheduler.needs_metric

    def _materialise(self) -> None:
        self.model.eval()
        with torch.no_grad():
            self.predict()
        self.model.train()

    def predict(self) -> torch.Tensor:
        """Return the output for a fixed batch."""
        output: torch.Tensor = self.model(self.inputs.example(torch.Generator().manual_seed(0)))
        return output


class DrawnTrainer:
    """A training program as people write it."""

    def __init__(self, run: DrawnRun) -> None:
        self.run = run
        self.trained = [_Trained(part) for part in run.parts]
        self.average = None if run.averaging is None else run.averaging.build(self.trained[0].model)
        self.scaler = None if run.scaler is None else run.scaler.build()
        own = torch.Generator().manual_seed(torch.initial_seed() % 2**31) if run.data == "own generator" else None
        self.order = None if run.data == "by number" else ShuffledOrder(own)

    def components(self) -> dict[str, Any]:
        """Return everything that has state, by name."""
        found: dict[str, Any] = {}
        for number, trained in enumerate(self.trained):
            end = f"_{number + 1}" if number else ""
            parts = {"model": trained.model, "optimizer": trained.optimizer, "scheduler": trained.scheduler}
            found |= {f"{name}{end}": item for name, item in parts.items() if item is not None}
        others = {"average": self.average, "scaler": self.scaler, "order": self.order}
        return found | {name: item for name, item in others.items() if item is not None}

    def step(self, number: int) -> list[torch.Tensor]:
        """Train one step and return the loss of each model."""
        batch = number if self.order is None else self.order.draw()
        losses = [self._train(trained, batch) for trained in self.trained]
        if self.scaler is not None:
            self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.trained[0].model)
        for trained, loss in zip(self.trained, losses, strict=True):
            if trained.scheduler is not None:
                trained.scheduler.step(loss.item()) if trained.needs_metric else trained.scheduler.step()
        return losses

    def predict(self) -> torch.Tensor:
        """Return the first model's output for a fixed batch."""
        return self.trained[0].predict()

    def save(self, path: Path) -> None:
        """Write the state of everything, and the random state."""
        state = {name: item.state_dict() for name, item in self.components().items()}
        torch.save({"state": state, "random": get_random_state()}, path)

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote."""
        checkpoint = torch.load(path, weights_only=False)
        for name, item in self.components().items():
            item.load_state_dict(checkpoint["state"][name])
        set_random_state(checkpoint["random"])

    def _train(self, trained: _Trained, batch: int) -> torch.Tensor:
        def closure() -> torch.Tensor:
            trained.model.zero_grad()  # not the optimizer's: some take only matrices
            losses = [self._loss(trained, batch * self.run.accumulate + i) for i in range(self.run.accumulate)]
            for loss in losses:
                (loss if self.scaler is None else self.scaler.scale(loss)).backward()
            if trained.needs_closure:
                _make_contiguous(trained.model)
            return torch.stack([loss.detach() for loss in losses]).sum()

        if trained.needs_closure:
            loss = closure()
            trained.optimizer.step(closure)  # type: ignore[arg-type]
            return loss
        loss = closure()
        if self.scaler is not None:
            self.scaler.unscale_(trained.optimizer)
        self._clip(trained)
        trained.optimizer.step() if self.scaler is None else self.scaler.step(trained.optimizer)
        return loss

    def _loss(self, trained: _Trained, batch: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(batch)
        x = trained.inputs.example(generator)
        if self.run.noise and x.is_floating_point():
            x = x + _NOISE * (torch.randn_like(x) if self.run.noise == "torch" else random.random())
        output = trained.model(x)
        target = torch.randn(output.shape, generator=generator)
        loss: torch.Tensor = (output - target).square().float().mean() / self.run.accumulate
        return loss

    def _clip(self, trained: _Trained) -> None:
        if self.run.clip == "norm":
            nn.utils.clip_grad_norm_(trained.model.parameters(), _CLIP)
        elif self.run.clip == "value":
            nn.utils.clip_grad_value_(trained.model.parameters(), _CLIP)


def _make_contiguous(model: nn.Module) -> None:
    """Copy the gradients that have other strides: ``torch.optim.LBFGS`` takes a flat view of each."""
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad = parameter.grad.contiguous()

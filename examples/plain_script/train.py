"""Classifies tumours as benign or malignant: a script of functions, with everything it must keep in one dictionary.

Run it again with --resume, and it goes on where its checkpoint was written.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def load_data() -> tuple[TensorDataset, TensorDataset]:
    """The 569 tumours that come with scikit-learn, standardized; every fourth is held out."""
    bunch = load_breast_cancer()
    features = torch.from_numpy(bunch.data).float()
    features = (features - features.mean(dim=0)) / features.std(dim=0)
    labels = torch.from_numpy(bunch.target).long()
    held_out = torch.arange(len(labels)) % 4 == 0
    return TensorDataset(features[~held_out], labels[~held_out]), TensorDataset(features[held_out], labels[held_out])


def set_up() -> dict[str, Any]:
    """Everything the training changes: parts with a state dict, and plain numbers."""
    model = nn.Sequential(nn.Linear(30, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    progress = {"epoch": 0, "loss": float("inf"), "accuracy": 0.0, "best_accuracy": 0.0}
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler, "progress": progress}


def train_epoch(
    data: tuple[TensorDataset, TensorDataset],
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    progress: dict[str, float],
) -> dict[str, float]:
    training, held_out = data
    total = 0.0
    for features, labels in DataLoader(training, batch_size=64, shuffle=True):
        loss = nn.functional.cross_entropy(model(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    scheduler.step()
    progress["epoch"] += 1
    progress["loss"] = total / len(training)
    progress["accuracy"] = evaluate(model, *held_out.tensors)
    progress["best_accuracy"] = max(progress["best_accuracy"], progress["accuracy"])
    return dict(progress)


@torch.no_grad()
def evaluate(model: nn.Module, features: Tensor, labels: Tensor) -> float:
    model.eval()
    accuracy: float = (model(features).argmax(dim=1) == labels).float().mean().item()
    model.train()
    return accuracy


def save_checkpoint(
    path: Path,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    progress: dict[str, float],
) -> None:
    torch.save(
        {
            **progress,
            "model_state_dict": model.state_dict(),
            "optimizer_state_dict": optimizer.state_dict(),
            "scheduler_state_dict": scheduler.state_dict(),
            "random_state": torch.get_rng_state(),
        },
        path,
    )


def load_checkpoint(
    path: Path,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    progress: dict[str, float],
) -> None:
    checkpoint = torch.load(path)
    model.load_state_dict(checkpoint["model_state_dict"])
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    scheduler.load_state_dict(checkpoint["scheduler_state_dict"])
    progress.update({name: checkpoint[name] for name in progress})
    torch.set_rng_state(checkpoint["random_state"])  # last, so that nothing above draws from it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--checkpoint", type=Path, default=Path("tumours.pt"))
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    data, parts = load_data(), set_up()
    if options.resume:
        load_checkpoint(options.checkpoint, **parts)
    while parts["progress"]["epoch"] < options.epochs:
        progress = train_epoch(data, **parts)
        best = progress["accuracy"] == progress["best_accuracy"]
        print("epoch {epoch:2}  loss {loss:.4f}  accuracy {accuracy:.3f}".format(**progress), "*" if best else "")
        save_checkpoint(options.checkpoint, **parts)


if __name__ == "__main__":
    main()

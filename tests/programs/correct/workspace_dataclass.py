"""make_run returns a frozen, slotted dataclass whose fields are stateful objects and settings."""
from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass
class Settings:
    lr: float = 1e-3
    layers: tuple = (4, 8, 2)
    note: str = "no state in here"


@dataclass(frozen=True, slots=True, eq=False)
class Workspace:
    settings: Settings
    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    logs: list = field(default_factory=list)


def make_run():
    settings = Settings()
    a, b, c = settings.layers
    model = nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c))
    return Workspace(settings, model, torch.optim.Adam(model.parameters(), lr=settings.lr), torch.amp.GradScaler("cpu"))

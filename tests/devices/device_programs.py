"""Models and optimizers to be trained on simulated devices and on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 8)
        self.lstm = nn.LSTM(8, 8, 2, batch_first=True)
        self.head = nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> Any:
        return self.head(self.lstm(self.embedding((x.abs() * 3).long().clamp(max=9)))[0][:, -1])


class PackedGru(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 8, batch_first=True)
        self.head = nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> Any:
        lengths = torch.arange(x.shape[0], 0, -1).clamp(max=x.shape[1])  # on the CPU, as torch asks
        packed = nn.utils.rnn.pack_padded_sequence(x[..., None], lengths, batch_first=True)
        return self.head(self.gru(packed)[1][-1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(1, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> Any:
        h = self.up(x[..., None])
        mask = nn.Transformer.generate_square_subsequent_mask(h.shape[1], device=h.device)
        return self.attention(h, h, h, attn_mask=mask, is_causal=True)[0].mean((1, 2))[:, None]


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> Any:
        return self.second(self.first(x)).mean(1, keepdim=True)


class Split(nn.Module):
    """The lower half stays on the CPU on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.lower, self.upper = nn.Linear(8, 8), nn.Linear(8, 1)

    def to(self, device: Any) -> Any:  # type: ignore[override]
        self.upper.to(device)
        return self

    def forward(self, x: torch.Tensor) -> Any:
        return self.upper(self.lower(x.cpu()).to(self.upper.weight.device)).to(x.device)


class Recomputed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
        self.head = nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> Any:
        return self.head(checkpoint(self.inner, x, use_reentrant=False))


class Parametrised(nn.Module):
    calls: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8))
        self.second = nn.utils.parametrizations.weight_norm(nn.Linear(8, 1))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> Any:
        self.calls += 1
        return self.second(self.first(x))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "attention": Attention,
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 8)), nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(24, 1)
    ),
    "lstm": Lstm,
    "mlp": lambda: nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 1)),
    "packed gru": PackedGru,
    "parametrised": Parametrised,
    "recomputed": Recomputed,
    "split": Split,
    "tied": Tied,
    "transformer": lambda: nn.Sequential(
        nn.Unflatten(1, (8, 1)),
        nn.Linear(1, 8),
        nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), 1, enable_nested_tensor=False
        ),
        nn.Flatten(),
        nn.Linear(64, 1),
    ),
}

Parameters = Iterable[torch.Tensor]
# foreach is torch's default on accelerators and not on the CPU, and its bits are its own.
OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "ASGD": lambda p: torch.optim.ASGD(p, foreach=True),
    "Adadelta": lambda p: torch.optim.Adadelta(p, foreach=True),
    "Adafactor": lambda p: torch.optim.Adafactor(p, foreach=True),
    "Adagrad": lambda p: torch.optim.Adagrad(p, foreach=True),
    "Adam": lambda p: torch.optim.Adam(p, foreach=True, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, foreach=True),
    "AdamW, fused": lambda p: torch.optim.AdamW(p, fused=True),
    "AdamW, one by one": lambda p: torch.optim.AdamW(p, foreach=False),
    "Adamax": lambda p: torch.optim.Adamax(p, foreach=True),
    "LBFGS": lambda p: torch.optim.LBFGS(p, max_iter=2),
    "NAdam": lambda p: torch.optim.NAdam(p, foreach=True),
    "RAdam": lambda p: torch.optim.RAdam(p, foreach=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, foreach=True, momentum=0.9, centered=True),
    "Rprop": lambda p: torch.optim.Rprop(p, foreach=True),
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, foreach=True),
    "SGD, fused": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, fused=True),
}


@dataclass(kw_only=True)
class Program:
    """A model in training."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    inputs: torch.Tensor

    def step(self) -> float:
        return float(self.optimizer.step(self.loss))  # type: ignore[arg-type]

    def loss(self) -> torch.Tensor:
        self.optimizer.zero_grad()
        loss = (self.model(self.inputs) - 1).pow(2).mean()
        loss.backward()
        if not isinstance(self.optimizer, torch.optim.LBFGS):
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        return loss.detach()  # type: ignore[no-any-return]


def program(model: str, optimizer: str, device: str, seed: int = 3) -> Program:
    """Make a program whose numbers depend on nothing but the seed."""
    torch.manual_seed(seed)
    inputs, made = torch.randn(8, 8).to(device), MODELS[model]()
    made.to(device)
    return Program(model=made, optimizer=OPTIMIZERS[optimizer](list(made.parameters())), inputs=inputs)

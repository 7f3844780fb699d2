"""One small training program in many versions: what it is made of can be replaced part by part."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import Linear, Module, Parameter

from pytest_ckpt import TrainingRun
from pytest_ckpt.golden.fabricating import fabricate
from pytest_ckpt.golden.judging import judge
from pytest_ckpt.golden.trials import attempt, write
from pytest_ckpt.golden.verdict import Direction, Verdict
from pytest_ckpt.runs.storage import own_storage
from pytest_ckpt.trips import Plan

Parts = dict[str, Any]
Make = Callable[[], TrainingRun]


class Net(Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = Linear(4, 6), Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).tanh())  # type: ignore[no-any-return]


def adamw(model: Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=0.01)


def pack(parts: Parts) -> dict[str, Any]:
    return {name: part.state_dict() for name, part in parts.items()}


def unpack(content: dict[str, Any], parts: Parts) -> None:
    for name, part in parts.items():
        part.load_state_dict(content[name])


def program(
    net: Callable[[], Module] = Net,
    optimizer: Callable[[Any], torch.optim.Optimizer] = adamw,
    scheduler: Callable[[Any], Any] | None = None,
    others: Callable[[Parts], Parts] | None = None,
    pack: Callable[[Parts], Any] = pack,
    unpack: Callable[[Any, Parts], None] = unpack,
    write: Callable[[Any, Path], object] = torch.save,
    read: Callable[[Path], Any] = torch.load,
    names: dict[str, str] | None = None,
) -> Make:
    """Return a factory of one version.

    ``unpack`` may replace an entry of ``parts``; ``others`` adds components, and ``names`` calls some otherwise.
    """

    def make_run() -> TrainingRun:
        parts: Parts = {"model": net()}
        parts["optimizer"] = optimizer(parts["model"])
        if scheduler is not None:
            parts["scheduler"] = scheduler(parts["optimizer"])
        parts |= others(parts) if others is not None else {}

        def step(number: int) -> float:
            generator = torch.Generator().manual_seed(number)
            loss = parts["model"](torch.randn(8, 4, generator=generator)).square().mean()
            parts["optimizer"].zero_grad()
            loss.backward()
            parts["optimizer"].step()
            for name in ("scheduler", "ema", "counter"):
                if name in parts:
                    parts[name].step()
            return float(loss)

        return TrainingRun(
            components=lambda: {(names or {}).get(name, name): part for name, part in parts.items()},
            step=step,
            save=lambda path: write(pack(parts), path),
            load=lambda path: unpack(read(path), parts),
        )

    return make_run


def judged(
    writer: Make, reader: Make, directory: Path, direction: Direction = "backward", made: bool = False
) -> Verdict:
    """Load what one version saves with another one, both of which are at hand.

    With ``made``, what is loaded is the other one's own checkpoint, made to the form of the first one's.
    """
    plans = [Plan(make_run=make, steps=4, at=(2,), storage=own_storage()) for make in (writer, reader)]
    theirs, own = (write(plan, directory, name="x", folder=f"{i}") for i, plan in enumerate(plans))
    path = theirs.path
    if made:
        path = shutil.copytree(own.path.parent, directory / "made") / own.path.name
        fabricate(path, own.manifest, theirs.manifest, own.unsaved)
    trials = [attempt(plans[1], file, one.manifest.holds, 2) for file, one in ((path, theirs), (own.path, own))]
    return judge(theirs.manifest, own.manifest, *trials, direction=direction, of="it", basis="both versions' code")


def translating(net: Callable[[], Module], translate: Callable[[dict[str, Any], str], None]) -> Callable[[], Module]:
    """Return a network that lets a state dict be changed before it reads it."""

    def make() -> Module:
        model = net()
        register: Any = model.register_load_state_dict_pre_hook
        register(lambda module, state, prefix, *_: translate(state, prefix))
        return model

    return make


def plain_sgd(model: Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.01)


class RenamedHead(Module):
    """The network with another name for its last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.top = Linear(4, 6), Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.top(self.body(x).tanh())  # type: ignore[no-any-return]


class Tied(Module):
    """Two matrices of one shape, which may be one."""

    def __init__(self, tied: bool) -> None:
        super().__init__()
        self.first, self.last = Linear(4, 4, bias=False), Linear(4, 4, bias=False)
        if tied:
            self.last.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x).tanh())  # type: ignore[no-any-return]


class Scaled(Net):
    """The network with a buffer, which is part of the state or not."""

    def __init__(self, persistent: bool) -> None:
        super().__init__()
        self.register_buffer("table", torch.linspace(0.5, 1.5, 6), persistent=persistent)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).tanh() * self.table)  # type: ignore[no-any-return]


class Versioned(Net):
    """Since version 2 the scale is kept as its logarithm."""

    _version = 2

    def __init__(self, migrates: bool = True) -> None:
        super().__init__()
        self.migrates = migrates
        self.log_scale = Parameter(torch.full((6,), 0.3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).tanh() * self.log_scale.exp())  # type: ignore[no-any-return]

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, metadata: Any, *others: Any) -> None:
        if self.migrates and metadata.get("version", 1) < 2:
            state[f"{prefix}log_scale"] = state.pop(f"{prefix}scale")
        super()._load_from_state_dict(state, prefix, metadata, *others)


class Unversioned(Net):
    def __init__(self) -> None:
        super().__init__()
        self.scale = Parameter(torch.full((6,), 1.3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).tanh() * self.scale)  # type: ignore[no-any-return]


class Remembers(Net):
    """Has extra state, in torch's sense."""

    def __init__(self, lenient: bool = False) -> None:
        super().__init__()
        self.seen = 0
        if lenient:
            register: Any = self.register_load_state_dict_pre_hook
            register(lambda module, state, prefix, *_: state.setdefault(f"{prefix}_extra_state", {"seen": 0}))

    def get_extra_state(self) -> dict[str, int]:
        return {"seen": self.seen}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.seen = state["seen"]


class Counter:
    """Counts steps, and calls the count as it is told."""

    def __init__(self, name: str = "steps", also: tuple[str, ...] = ()) -> None:
        self.name, self.also, self.count = name, also, 0

    def step(self) -> None:
        self.count += 1

    def state_dict(self) -> dict[str, int]:
        return {self.name: self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.count = next((state[name] for name in (self.name, *self.also) if name in state), 0)


class Ema:
    """An average of the weights."""

    def __init__(self, model: Module) -> None:
        self.model, self.average = model, {n: p.detach().clone() for n, p in model.named_parameters()}

    def step(self) -> None:
        for name, parameter in self.model.named_parameters():
            self.average[name] = self.average[name] * 0.9 + parameter.detach() * 0.1

    def state_dict(self) -> dict[str, torch.Tensor]:
        return dict(self.average)

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self.average = dict(state)


class RandomState:
    """torch's random state as a component."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"torch": torch.get_rng_state()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        torch.set_rng_state(state["torch"])

"""What people do to a model or an optimizer, with and without a thought for old checkpoints, and in both directions.

Both versions of the code are at hand here, so every verdict stands on what really happened.
"""

# Longer than 250 lines because the table of changes is one table.

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import BatchNorm1d, Linear, Module
from versions import (
    Counter,
    Ema,
    Make,
    Net,
    Parts,
    RandomState,
    Remembers,
    RenamedHead,
    Scaled,
    Tied,
    Unversioned,
    Versioned,
    judged,
    pack,
    plain_sgd,
    program,
    translating,
    unpack,
)

from pytest_ckpt.trips import workspace

YES, MIGRATED, NO = "compatible", "compatible with a migration", "breaking"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change. ``migrated`` is what a thoughtful author would have written instead of ``new``."""

    name: str
    old: Make
    new: Make
    backward: str
    forward: str
    migrated: Make | None = None
    with_migration: str = MIGRATED


def with_old_names(state: dict[str, Any], prefix: str) -> None:
    for key in [key for key in state if key.startswith(f"{prefix}head.")]:
        state[key.replace("head.", "top.")] = state.pop(key)


def loose(content: Any, parts: Parts) -> None:
    parts["model"].load_state_dict(content["model"], strict=False)
    parts["optimizer"].load_state_dict(content["optimizer"])


class Wide(Net):
    def __init__(self, width: int = 7) -> None:
        super().__init__()
        self.head = Linear(6, width)


def padded(state: dict[str, Any], prefix: str) -> None:
    for key in ("head.weight", "head.bias"):
        old = state[prefix + key]
        state[prefix + key] = torch.cat([old, torch.zeros(7 - len(old), *old.shape[1:])])


class Flat(Net):
    """The weight of the head is kept as a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.head.weight = torch.nn.Parameter(self.head.weight.detach().flatten())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(self.body(x).tanh(), self.head.weight.view(3, 6), self.head.bias)


def flattened(state: dict[str, Any], prefix: str) -> None:
    state[f"{prefix}head.weight"] = state[f"{prefix}head.weight"].flatten()


def unpack_flattened(content: Any, parts: Parts) -> None:
    for entry in content["optimizer"]["state"].values():
        entry.update({k: v.flatten() if v.shape == (3, 6) else v for k, v in entry.items()})
    unpack(content, parts)


class Doubles(Net):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.to(dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.to(self.head.weight.dtype))


class Deeper(Net):
    def __init__(self, fills: bool = False) -> None:
        super().__init__()
        self.middle = Linear(6, 6)
        torch.nn.init.eye_(self.middle.weight)
        if fills:
            self.register_load_state_dict_pre_hook(self.fill)  # type: ignore[no-untyped-call]

    def fill(self, module: Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
        for name, tensor in self.middle.named_parameters():
            state.setdefault(f"{prefix}middle.{name}", tensor.detach().clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.middle(self.body(x).tanh()))  # type: ignore[no-any-return]


def middle_last(model: Module) -> torch.optim.Optimizer:
    """New parameters in a group of their own, which an old file lacks."""
    middle: Any = model.middle
    rest = [p for name, p in model.named_parameters() if not name.startswith("middle")]
    return torch.optim.AdamW([{"params": rest}, {"params": middle.parameters()}], lr=0.01)


def unpack_fewer_groups(content: Any, parts: Parts) -> None:
    parts["model"].load_state_dict(content["model"])
    groups, now = content["optimizer"]["param_groups"], parts["optimizer"].state_dict()["param_groups"]
    content["optimizer"]["param_groups"] = [*groups, *now[len(groups) :]]
    parts["optimizer"].load_state_dict(content["optimizer"])


class Idle(Net):
    """Has a layer that nothing needs."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = Linear(2, 2)
        self.idle.requires_grad_(False)


def trained_only(model: Module) -> torch.optim.Optimizer:
    return adamw_of([p for p in model.parameters() if p.requires_grad])


def without_idle(state: dict[str, Any], prefix: str) -> None:
    for key in [key for key in state if "idle" in key]:
        del state[key]


def adamw_of(parameters: Any, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=0.01, **options)


def backwards(model: Module) -> torch.optim.Optimizer:
    return adamw_of(list(model.parameters())[::-1])


def pack_backwards(parts: Parts) -> Any:
    return {**pack(parts), "order": "last first"}


def unpack_backwards(content: Any, parts: Parts) -> None:
    state = content["optimizer"]["state"]
    if "order" not in content:
        content["optimizer"]["state"] = {3 - number: entry for number, entry in state.items()}
    unpack(content, parts)


def model_only(parts: Parts) -> Any:
    return {"model": parts["model"].state_dict()}


def unpack_model(content: Any, parts: Parts) -> None:
    parts["model"].load_state_dict(content["model"])


def two_groups(model: Module) -> torch.optim.Optimizer:
    first, *rest = model.parameters()
    return adamw_of([{"params": [first]}, {"params": rest}])


def split_group(content: Any, parts: Parts) -> None:
    group = content["optimizer"]["param_groups"][0]
    if len(content["optimizer"]["param_groups"]) == 2:
        return unpack(content, parts)
    sides = group["params"][:1], group["params"][1:]
    content["optimizer"]["param_groups"] = [{**group, "params": side} for side in sides]
    unpack(content, parts)


def merge_groups(content: Any, parts: Parts) -> None:
    groups = content["optimizer"]["param_groups"]
    whole = {**groups[0], "params": [number for group in groups for number in group["params"]]}
    content["optimizer"]["param_groups"] = [whole]
    unpack(content, parts)


def sgd(model: Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def amsgrad(model: Module) -> torch.optim.Optimizer:
    return adamw_of(model.parameters(), amsgrad=True)


def unpack_and_insist(content: Any, parts: Parts, fill: bool) -> None:
    """Load, and set the new option again, which the old file has switched off."""
    unpack(content, parts)
    optimizer = parts["optimizer"]
    for group in optimizer.param_groups:
        group["amsgrad"] = True
    for entry in optimizer.state.values() if fill else ():
        entry.setdefault("max_exp_avg_sq", entry["exp_avg_sq"].clone())


def by_steps(optimizer: Any) -> Any:
    return torch.optim.lr_scheduler.StepLR(optimizer, 2)


def by_cosine(optimizer: Any) -> Any:
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)


def keep_the_epoch(content: Any, parts: Parts) -> None:
    state = content["scheduler"]
    position = {name: state[name] for name in ("last_epoch", "_step_count")}
    unpack({**content, "scheduler": state if "T_max" in state else position}, parts)


def what_there_is(content: Any, parts: Parts) -> None:
    unpack(content, {name: part for name, part in parts.items() if name in content})


class Wrapped(Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        setattr(self, name, Net())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return getattr(self, self.name)(x)  # type: ignore[no-any-return]


def prefixed(name: str) -> Callable[[dict[str, Any], str], None]:
    def translate(state: dict[str, Any], prefix: str) -> None:
        for key in [key for key in state if not key.startswith(f"{prefix}{name}.")]:
            state[f"{prefix}{name}.{key.removeprefix(prefix)}"] = state.pop(key)

    return translate


def pack_below(parts: Parts, name: str) -> Any:
    return {**pack(parts), "model": OrderedDict((f"{name}.{k}", v) for k, v in parts["model"].state_dict().items())}


def unpack_below(content: Any, parts: Parts, name: str, always: bool) -> None:
    prefix = f"{name}."
    entries = content["model"].items()
    if always:
        entries = [(key, value) for key, value in entries if key.startswith(prefix)]
    unpack({**content, "model": {key.removeprefix(prefix): value for key, value in entries}}, parts)


def pack_as(parts: Parts, name: str) -> Any:
    return {name if key == "optimizer" else key: value for key, value in pack(parts).items()}


def unpack_as(content: Any, parts: Parts, *names: str) -> None:
    found = next((content[name] for name in names if name in content), None)
    unpack({**content, "optimizer": content[names[0]] if found is None else found}, parts)


def counter(**options: Any) -> Callable[[Parts], Parts]:
    return lambda parts: {"counter": Counter(**options)}


def ema(parts: Parts) -> Parts:
    return {"ema": Ema(parts["model"])}


def ema_from_the_model(content: Any, parts: Parts) -> None:
    what_there_is(content, parts)
    if "ema" not in content:
        parts["ema"].load_state_dict({n: p.detach().clone() for n, p in parts["model"].named_parameters()})


def rng(parts: Parts) -> Parts:
    return {"random": RandomState()}


def write_legacy(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def write_pickle(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


def read_pickle(path: Path) -> Any:
    return pickle.loads(path.read_bytes())


def read_either(path: Path) -> Any:
    return torch.load(path) if path.read_bytes()[:2] == b"PK" else read_pickle(path)


class Separate(Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = Linear(4, 3, bias=False), Linear(4, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.left(x), self.right(x)], 1)


class Fused(Module):
    def __init__(self) -> None:
        super().__init__()
        self.both = Linear(4, 6, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.both(x)  # type: ignore[no-any-return]


def join(state: dict[str, Any], prefix: str) -> None:
    if f"{prefix}left.weight" in state:
        sides = [state.pop(f"{prefix}{side}.weight") for side in ("left", "right")]
        state[f"{prefix}both.weight"] = torch.cat(sides)


class Normed(Net):
    def __init__(self) -> None:
        super().__init__()
        self.norm = BatchNorm1d(3, affine=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(super().forward(x))  # type: ignore[no-any-return]


def keep_statistics(module: Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name, tensor in module.norm.named_buffers():  # type: ignore[union-attr]
        state.setdefault(f"{prefix}norm.{name}", tensor.clone())


def forgiving_normed() -> Module:
    model = Normed()
    model.register_load_state_dict_pre_hook(keep_statistics)  # type: ignore[no-untyped-call]
    return model


OLD = program()
bare = partial(program, optimizer=plain_sgd, pack=model_only, unpack=unpack_model)
scaled, unscaled = partial(Scaled, True), partial(Scaled, False)
tied, untied = partial(Tied, True), partial(Tied, False)

CHANGES = [
    Change(name="nothing", old=OLD, new=program(), backward=YES, forward=YES),
    Change(
        name="layer renamed",
        old=OLD,
        new=program(RenamedHead),
        backward=NO,
        migrated=program(translating(RenamedHead, with_old_names)),
        forward=NO,
    ),
    Change(name="layer renamed, not strict", old=OLD, new=program(RenamedHead, unpack=loose), backward=NO, forward=NO),
    Change(
        name="tensor in another shape",
        old=OLD,
        new=program(Flat),
        backward=NO,
        migrated=program(translating(Flat, flattened), unpack=unpack_flattened),
        forward=NO,
    ),
    Change(
        name="more classes",
        old=program(optimizer=plain_sgd),
        new=program(Wide, plain_sgd),
        backward=NO,
        migrated=program(translating(Wide, padded), plain_sgd),
        forward=NO,
    ),
    Change(
        name="wider dtype",
        old=OLD,
        new=program(partial(Doubles, torch.float64)),
        backward=MIGRATED,  # load_state_dict widens by itself, and no bit is lost
        forward=NO,
    ),
    Change(
        name="narrower dtype", old=OLD, new=program(partial(Doubles, torch.bfloat16)), backward=NO, forward=MIGRATED
    ),
    Change(
        name="buffer made persistent",
        old=program(unscaled),
        new=program(scaled),
        backward=NO,
        migrated=program(translating(scaled, lambda s, p: s.setdefault(f"{p}table", torch.linspace(0.5, 1.5, 6)))),
        with_migration=YES,
        forward=NO,
    ),
    Change(
        name="buffer made non-persistent",
        old=program(scaled),
        new=program(unscaled),
        backward=NO,
        migrated=program(translating(unscaled, lambda s, p: s.pop(f"{p}table", None))),
        with_migration=YES,  # the buffer is what it was, so nothing is lost
        forward=NO,
    ),
    Change(
        name="layer added",
        old=OLD,
        new=program(Deeper),
        backward=NO,
        migrated=program(partial(Deeper, True), middle_last, unpack=unpack_fewer_groups),
        forward=NO,
    ),
    Change(
        name="normalization added",
        old=OLD,
        new=program(Normed),
        backward=NO,
        migrated=program(forgiving_normed),
        with_migration=YES,
        forward=NO,
    ),
    Change(
        name="layer removed",
        old=program(Deeper),
        new=OLD,
        backward=NO,
        forward=NO,
    ),
    Change(
        name="layers fused",
        old=bare(Separate),
        new=bare(Fused),
        backward=NO,
        migrated=bare(translating(Fused, join)),
        forward=NO,
    ),
    Change(
        name="parameters in another order",
        old=program(untied),
        new=program(untied, backwards),
        backward=NO,
        forward=NO,
    ),
    Change(
        name="parameters of other shapes in another order",
        old=OLD,
        new=program(optimizer=backwards),
        backward=NO,
        migrated=program(optimizer=backwards, pack=pack_backwards, unpack=unpack_backwards),
        forward=NO,
    ),
    Change(
        name="group split",
        old=OLD,
        new=program(optimizer=two_groups),
        backward=NO,
        migrated=program(optimizer=two_groups, unpack=split_group),
        forward=NO,
    ),
    Change(
        name="groups merged",
        old=program(optimizer=two_groups),
        new=OLD,
        backward=NO,
        migrated=program(unpack=merge_groups),
        forward=NO,
    ),
    Change(name="optimizer swapped", old=OLD, new=program(optimizer=sgd), backward=NO, forward=NO),
    Change(
        name="optimizer option added",
        old=OLD,
        new=program(optimizer=amsgrad, unpack=partial(unpack_and_insist, fill=False)),
        backward=NO,
        migrated=program(optimizer=amsgrad, unpack=partial(unpack_and_insist, fill=True)),
        with_migration=YES,
        forward=YES,
    ),
    Change(
        name="scheduler swapped",
        old=program(scheduler=by_steps),
        new=program(scheduler=by_cosine),
        backward=NO,
        migrated=program(scheduler=by_cosine, unpack=keep_the_epoch),
        forward=NO,
    ),
    Change(
        name="scheduler added",
        old=OLD,
        new=program(scheduler=by_steps),
        backward=NO,
        migrated=program(scheduler=by_steps, unpack=what_there_is),
        with_migration=YES,
        forward=YES,
    ),
    Change(
        name="wrapped as by DataParallel",
        old=OLD,
        new=program(partial(Wrapped, "module")),
        backward=NO,
        migrated=program(translating(partial(Wrapped, "module"), prefixed("module"))),
        forward=NO,
    ),
    Change(
        name="wrapped as by torch.compile",
        old=OLD,
        new=program(partial(Wrapped, "_orig_mod")),
        backward=NO,
        migrated=program(translating(partial(Wrapped, "_orig_mod"), prefixed("_orig_mod"))),
        forward=NO,
    ),
    Change(name="weights tied", old=bare(untied), new=bare(tied), backward=NO, forward=YES),
    Change(name="weights untied", old=bare(tied), new=bare(untied), backward=YES, forward=NO),
    Change(
        name="extra state added",
        old=OLD,
        new=program(Remembers),
        backward=NO,
        migrated=program(partial(Remembers, True)),
        with_migration=YES,
        forward=NO,
    ),
    Change(
        name="another version of a module",
        old=program(Unversioned),
        new=program(partial(Versioned, False)),
        backward=NO,
        migrated=program(Versioned),
        forward=NO,
    ),
    Change(
        name="prefix of the keys changed",
        old=OLD,
        new=program(pack=partial(pack_below, name="net"), unpack=partial(unpack_below, name="net", always=True)),
        backward=NO,
        migrated=program(pack=partial(pack_below, name="net"), unpack=partial(unpack_below, name="net", always=False)),
        forward=NO,
    ),
    Change(
        name="average of the weights added",
        old=OLD,
        new=program(others=ema),
        backward=NO,
        migrated=program(others=ema, unpack=ema_from_the_model),
        with_migration=YES,
        forward=YES,
    ),
    Change(
        name="component renamed in the file",
        old=OLD,
        new=program(pack=partial(pack_as, name="optim"), unpack=lambda c, p: unpack_as(c, p, "optim")),
        backward=NO,
        migrated=program(
            pack=partial(pack_as, name="optim"), unpack=lambda c, p: unpack_as(c, p, "optim", "optimizer")
        ),
        forward=NO,
    ),
    Change(
        name="component renamed in the test alone",
        old=OLD,
        new=program(names={"model": "net"}),
        backward=MIGRATED,
        forward=MIGRATED,
    ),
    Change(name="legacy format", old=OLD, new=program(write=write_legacy), backward=YES, forward=YES),
    Change(
        name="another format",
        old=OLD,
        new=program(write=write_pickle, read=read_pickle),
        backward=NO,
        migrated=program(write=write_pickle, read=read_either),
        forward=NO,
    ),
    Change(
        name="random state added",
        old=OLD,
        new=program(others=rng),
        backward=NO,
        migrated=program(others=rng, unpack=what_there_is),
        with_migration=YES,
        forward=YES,
    ),
    Change(
        name="count renamed",
        old=program(others=counter()),
        new=program(others=counter(name="done")),
        backward=NO,
        migrated=program(others=counter(name="done", also=("steps",))),
        forward=NO,
    ),
]


def cases() -> Iterator[Any]:
    for change in CHANGES:
        yield pytest.param(change.old, change.new, "backward", change.backward, id=f"{change.name}-backward")
        yield pytest.param(change.new, change.old, "forward", change.forward, id=f"{change.name}-forward")
        if change.migrated is not None:
            yield pytest.param(
                change.old, change.migrated, "backward", change.with_migration, id=f"{change.name}-migrated"
            )


@pytest.mark.parametrize(("writer", "reader", "direction", "expected"), list(cases()))
def test_change_is_classified(writer: Make, reader: Make, direction: Any, expected: str) -> None:
    with workspace() as directory:
        verdict = judged(writer, reader, directory, direction)

    assert verdict.classification == expected, verdict


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_checkpoint_that_is_made_to_the_old_form_gets_the_same_verdict(change: Change) -> None:
    for reader, expected in ((change.new, change.backward), (change.migrated, change.with_migration)):
        if reader is None:
            continue
        with workspace() as directory:
            verdict = judged(change.old, reader, directory, made=True)

        assert verdict.classification == expected, verdict

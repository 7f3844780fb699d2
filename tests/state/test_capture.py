"""``capture()``: what is in the picture, under which name, and that it stays as it was."""

# Longer than 250 lines because every kind of component has its place in the picture.

from __future__ import annotations

import copy
import random
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pytest_ckpt.comparison import compare
from pytest_ckpt.errors import UsageError
from pytest_ckpt.state import StateTree, capture, is_stateful
from pytest_ckpt.state.capture import view

State = dict[str, Any]


class Odd(nn.Module):
    """A module with everything that a state dict may hold or leave out."""

    _version = 3
    mask: torch.Tensor
    cache: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 3)
        self.register_buffer("mask", torch.arange(3.0))
        self.register_buffer("cache", torch.ones(2), persistent=False)
        self.epoch = 7

    def get_extra_state(self) -> Any:
        return {"epoch": self.epoch}

    def set_extra_state(self, state: Any) -> None:
        self.epoch = state["epoch"]


class Counter:
    """The smallest object that follows the Stateful protocol."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> State:
        return {"count": self.count}

    def load_state_dict(self, state: State) -> None:
        self.count = state["count"]


def train(model: nn.Module, optimizer: torch.optim.Optimizer, inputs: torch.Tensor, steps: int = 1) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()


def two_layers() -> Any:
    return nn.Sequential(OrderedDict(first=nn.Linear(2, 3), second=nn.Linear(3, 1)))


def test_a_module_shows_parameters_buffers_and_extra_state() -> None:
    module = Odd()

    state = capture({"model": module}).state["model"]

    assert list(state) == ["mask", "_extra_state", "fc.weight", "fc.bias"]
    assert torch.equal(state["fc.weight"], module.fc.weight)
    assert state["fc.weight"].data_ptr() != module.fc.weight.data_ptr()
    assert state["mask"].tolist() == [0, 1, 2]
    assert state["_extra_state"] == {"epoch": 7}


def test_module_versions_stay_on_the_state_dict() -> None:
    raw = capture({"model": Odd()}).raw["model"]

    assert type(raw) is OrderedDict
    assert raw._metadata[""] == {"version": 3}  # type: ignore[attr-defined]


def test_raw_state_loads_into_another_run() -> None:
    model, other = two_layers(), two_layers()
    optimizer, theirs = (torch.optim.Adam(m.parameters()) for m in (model, other))
    train(model, optimizer, torch.ones(4, 2))
    tree = capture({"model": model, "optimizer": optimizer})

    other.load_state_dict(tree.raw["model"])
    theirs.load_state_dict(tree.raw["optimizer"])

    assert not compare(tree.state, capture({"model": other, "optimizer": theirs}).state)


def test_a_bare_module_is_called_model_and_another_object_component() -> None:
    assert list(capture(nn.Linear(1, 1)).state) == ["model"]
    assert capture(Counter()).state == {"component": {"count": 0}}


def test_hidden_state_is_what_the_state_dict_leaves_out() -> None:
    module = Odd()
    module.fc.eval()
    module.fc.weight.grad = torch.full((3, 2), 5.0)
    module.fc.weight.data = torch.ones(2, 3).t()

    hidden = capture({"model": module}).hidden

    assert list(hidden) == ["model", "rng"]
    assert hidden["model"].keys() == {"training", "cache", "fc.weight.grad", "fc.weight.strides"}
    assert hidden["model"]["training"] == {"itself": True, "fc": False}
    assert hidden["model"]["cache"].tolist() == [1, 1]
    assert hidden["model"]["fc.weight.grad"].unique().tolist() == [5]
    assert hidden["model"]["fc.weight.strides"] == [1, 3]
    assert {"python", "numpy", "torch"} <= hidden["rng"].keys()


def test_hidden_state_can_be_left_out() -> None:
    assert capture({"model": Odd()}, hidden=False).hidden == {}


def test_traits_tell_frozen_parameters_and_their_class() -> None:
    class Special(nn.Parameter):
        pass

    module = nn.Linear(2, 1)
    module.weight.requires_grad_(False)
    module.bias = Special(torch.ones(1))

    assert capture({"model": module, "count": Counter()}).traits == {
        "model": {
            "weight": {"requires_grad": False, "class": "Parameter"},
            "bias": {"requires_grad": True, "class": "Special"},
        }
    }


@pytest.mark.parametrize("path", ["fc.cache", "training[fc]", "fc.weight.grad"])
def test_two_pictures_differ_in_hidden_state(path: str) -> None:
    def picture(change: bool) -> StateTree:
        module = nn.Module()
        module.fc = nn.Linear(1, 1)
        module.fc.register_buffer("cache", torch.tensor(float(change)), persistent=False)
        module.fc.weight.grad = torch.tensor([[float(change)]])
        module.fc.train(change)
        torch.manual_seed(0)
        nn.init.ones_(module.fc.weight)
        nn.init.zeros_(module.fc.bias)
        return capture({"model": module})

    assert f"model.{path}" in [mismatch.path for mismatch in compare(picture(False), picture(True))]


def test_optimizer_state_is_keyed_by_parameter_name() -> None:
    model = two_layers()
    optimizer = torch.optim.Adam(
        [{"params": model.second.parameters(), "lr": 0.5}, {"params": [model.first.bias]}], lr=0.1
    )
    train(model, optimizer, torch.ones(4, 2))

    tree = capture({"model": model, "optimizer": optimizer})
    state = tree.state["optimizer"]

    assert list(state["state"]) == ["second.weight", "second.bias", "first.bias"]
    assert [group["params"] for group in state["param_groups"]] == [
        ["second.weight", "second.bias"],
        ["first.bias"],
    ]
    assert [group["lr"] for group in state["param_groups"]] == [0.5, 0.1]
    assert torch.equal(state["state"]["first.bias"]["exp_avg"], optimizer.state[model.first.bias]["exp_avg"])
    assert list(tree.raw["optimizer"]["state"]) == [0, 1, 2]


def test_optimizer_state_has_the_path_that_torch_users_read() -> None:
    model = two_layers()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    train(model, optimizer, torch.ones(4, 2))
    before = capture({"model": model, "optimizer": optimizer}).state["optimizer"]
    optimizer.state[model.second.bias]["momentum_buffer"].add_(1)
    optimizer.param_groups[0]["momentum"] = 0.5

    diff = compare({"optimizer": before}, {"optimizer": capture({"m": model, "o": optimizer}).state["o"]})

    assert [(m.path, m.kind) for m in diff] == [
        ("optimizer.state[second.bias].momentum_buffer", "value"),
        ("optimizer.param_groups[0].momentum", "value"),
    ]


def test_permuted_parameters_are_seen_in_the_groups() -> None:
    model = nn.Linear(1, 1)
    parameters = [model.weight, model.bias]
    there, back = (torch.optim.SGD(p, lr=0.1) for p in (parameters, parameters[::-1]))

    diff = compare(capture({"m": model, "o": there}).state, capture({"m": model, "o": back}).state)

    assert [m.path for m in diff] == ["o.param_groups[0].params[0]", "o.param_groups[0].params[1]"]


def test_names_are_prefixed_where_there_are_several_modules() -> None:
    generator, critic = nn.Linear(1, 1), nn.Linear(1, 1)
    optimizer = torch.optim.Adam([critic.bias, generator.bias])

    groups = capture({"g": generator, "d": critic, "opt": optimizer}).state["opt"]["param_groups"]

    assert groups[0]["params"] == ["d.bias", "g.bias"]


def test_foreign_parameters_are_numbered_and_told() -> None:
    model, other = nn.Linear(1, 1), nn.Linear(1, 1)
    optimizer = torch.optim.SGD([*model.parameters(), other.weight], lr=0.1, momentum=0.9)
    train(nn.Sequential(model, other), optimizer, torch.ones(1, 1))

    tree = capture({"model": model, "optimizer": optimizer})

    assert list(tree.state["optimizer"]["state"]) == ["weight", "bias", "#2"]
    assert tree.sharing["optimizer parameters"] == ("#2",)


def test_tied_weights_are_one_object_and_views_one_storage() -> None:
    module = nn.Module()
    module.head = nn.Linear(2, 2, bias=False)
    module.embedding = nn.Linear(2, 2, bias=False)
    module.embedding.weight = module.head.weight
    module.register_buffer("row", module.head.weight.detach()[1])
    module.alone = nn.Parameter(torch.ones(2))

    assert capture({"model": module}).sharing == {
        "model.head.weight storage": ("model.embedding.weight", "model.row"),
        "model.embedding.weight storage": ("model.head.weight", "model.row"),
        "model.row storage": ("model.embedding.weight", "model.head.weight"),
        "model.head.weight object": ("model.embedding.weight",),
        "model.embedding.weight object": ("model.head.weight",),
    }


def test_two_parameters_on_one_storage_are_not_one_object() -> None:
    tied, aliased = two_layers(), two_layers()
    for module in (tied, aliased):
        module.third = nn.Linear(2, 3)
    tied.third.weight = tied.first.weight
    aliased.third.weight = nn.Parameter(aliased.first.weight.data)

    diff = compare(capture({"model": tied}).sharing, capture({"model": aliased}).sharing)

    assert {m.path for m in diff} == {"model.first.weight object", "model.third.weight object"}


def sampler() -> Counter:
    made = Counter()
    made.count = 3
    return made


def scaler() -> Any:
    made = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1)
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    made.scale(model(torch.ones(1, 1)).sum()).backward()
    made.step(optimizer)
    made.update()
    return made


def averaged() -> nn.Module:
    made = torch.optim.swa_utils.AveragedModel(nn.Linear(1, 1))
    made.update_parameters(nn.Linear(1, 1))
    return made


def scheduler() -> Any:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    made = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    optimizer.step()
    made.step()
    return made


COMPONENTS: dict[str, tuple[Callable[[], Any], str, Any]] = {
    "stateful": (sampler, "count", 3),
    "GradScaler": (scaler, "scale", 8.0),
    "AveragedModel": (averaged, "n_averaged", torch.tensor(1)),
    "scheduler": (scheduler, "_last_lr", [0.5]),
    "dict": (lambda: {"seen": torch.ones(2)}, "seen", torch.ones(2)),
    "numpy generator": (lambda: np.random.default_rng(1), "bit_generator", "PCG64"),
}


@pytest.mark.parametrize("kind", COMPONENTS)
def test_every_kind_of_component_shows_its_state(kind: str) -> None:
    make, key, expected = COMPONENTS[kind]

    state = capture({"it": make()}).state["it"]

    assert not compare(expected, state[key])


GENERATORS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "torch": (lambda: torch.Generator().manual_seed(1), lambda it: torch.rand(1, generator=it)),
    "numpy": (lambda: np.random.default_rng(1), lambda it: it.random()),
    "numpy legacy": (lambda: np.random.RandomState(1), lambda it: it.random()),
    "python": (lambda: random.Random(1), lambda it: it.random()),
}


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_random_generator_is_a_component(kind: str) -> None:
    make, draw = GENERATORS[kind]
    generator = make()
    before, same = capture({"rng": generator}).state, capture({"rng": make()}).state

    draw(generator)

    assert is_stateful(generator)
    assert not compare(before, same)
    assert compare(before, capture({"rng": generator}).state)


class Half:
    """Can be saved, but not loaded."""

    def state_dict(self) -> State:
        return {}


class Touchy:
    """Refuses to be asked for what it has not."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_what_is_stateful() -> None:
    assert is_stateful(Counter())
    assert not is_stateful(Counter)
    assert not is_stateful({"state_dict": 1})
    assert not is_stateful(3)
    assert not is_stateful(np.ones(3))
    assert not is_stateful(Half())
    assert not is_stateful(Touchy())


def test_tensors_and_containers_stand_for_themselves() -> None:
    components = {"step": torch.tensor(3), "best": {"loss": 0.5}, "losses": [1.0, 2.0]}

    before = capture(components)
    assert not compare(components, before.state)

    components["step"].add_(1)  # type: ignore[attr-defined]
    components["losses"].append(3.0)  # type: ignore[attr-defined]
    assert (before.state["step"].item(), before.state["losses"]) == (3, [1.0, 2.0])


def test_the_state_dict_of_an_optimizer_is_a_mapping_like_any_other() -> None:
    state_dict = torch.optim.SGD([torch.ones(1)], lr=0.1).state_dict()

    assert capture({"kept": state_dict}).state == {"kept": state_dict}


def test_a_component_without_state_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        capture({"loader": object()})

    assert str(caught.value) == (
        "The component 'loader' is a object, which has no state_dict(). "
        "Give it state_dict() and load_state_dict(), or leave it out of components."
    )


def whole_models() -> Iterator[tuple[str, Callable[[], nn.Module], tuple[int, ...]]]:
    yield "transformer", lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 3, 8)
    yield "conv", lambda: nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()), (2, 3, 5, 5)
    yield "lstm", lambda: LastOutput(nn.LSTM(4, 5, num_layers=2, batch_first=True)), (2, 3, 4)


class LastOutput(nn.Module):
    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self.lstm = lstm

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.lstm(inputs)[0]
        return output[:, -1]


@pytest.mark.parametrize(("name", "make", "shape"), list(whole_models()))
def test_a_whole_model_in_training(name: str, make: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    """The picture is that of a deep copy made at the same time, and training does not change it."""
    model = make()
    weights = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim == 1]
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, amsgrad=True)
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    train(model, optimizer, inputs, steps=2)
    components: dict[str, Any] = {"model": model, "optimizer": optimizer}

    before = capture(components)
    copied = copy.deepcopy({name: item.state_dict() for name, item in components.items()})
    grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    train(model, optimizer, 2 * inputs)
    model.eval()
    model.requires_grad_(False)

    after = capture(components)
    assert not compare(copied, before.raw)
    assert not compare(grads, {n: before.hidden["model"][f"{n}.grad"] for n in grads})
    assert all(before.hidden["model"]["training"].values())
    assert all(trait["requires_grad"] for trait in before.traits["model"].values())
    names = {n for n, _ in model.named_parameters()}
    changed = {m.path for m in compare(before.state, after.state)}
    assert {f"optimizer.state[{n}].step" for n in names} <= changed
    assert {f"model.{n}" for n in names} <= changed


def test_a_view_is_what_a_capture_is_without_copies() -> None:
    model = nn.Linear(1, 1)
    components = {"model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1)}
    before = capture(components, hidden=False)

    seen = view(components)

    assert not compare(before, seen)
    assert (seen.traits, seen.sharing) == (before.traits, before.sharing)
    assert seen.state["model"]["weight"].data_ptr() == model.weight.data_ptr()

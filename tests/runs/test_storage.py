"""How a run gets to disk and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pytest_ckpt import TrainingRun
from pytest_ckpt.comparison import compare
from pytest_ckpt.errors import UsageError
from pytest_ckpt.formats import get_format
from pytest_ckpt.runs import LiveRun
from pytest_ckpt.runs.storage import format_storage, own_storage, payload_of, storage_for
from pytest_ckpt.state import capture, get_random_state, seed_everything, set_random_state


@pytest.fixture(autouse=True)
def _random_state_as_before() -> Iterator[None]:
    before = get_random_state()
    yield
    set_random_state(before)


def trained(seed: int, steps: int, **more: Any) -> LiveRun:
    """A run whose scheduler comes first, so that its components must be put in order for loading."""
    seed_everything(seed)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)

    def step(number: int) -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = model(torch.randn(4, 2)).square().mean()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    components = {"scheduler": scheduler, "optimizer": optimizer, "model": model, **more}
    run = LiveRun(TrainingRun(components, step=step))
    run.train(steps)
    return run


@pytest.mark.parametrize("name", ["torch", "torch-legacy", "torch-whole", "pickle", "safetensors"])
def test_a_loaded_run_goes_on_as_the_saved_one(name: str, tmp_path: Path) -> None:
    storage = storage_for(trained(1, 0), name)
    path = tmp_path / f"checkpoint{storage.suffix}"
    saved = trained(1, 3, counts={"seen": 5})
    storage.save(saved, path)
    tree, random_state = capture(saved.components), get_random_state()
    losses = saved.train(5)
    fresh = trained(2, 0, counts={"seen": 0})

    storage.load(fresh, path)

    assert storage.refuses(saved) is None
    assert (storage.name, storage.suffix) == (name, get_format(name).suffix)
    assert not compare(tree.state, capture(fresh.components).state)
    assert not compare(random_state, get_random_state())
    fresh.steps_done = 3
    assert not compare(losses, fresh.train(5))


def test_what_depends_on_the_model_and_the_optimizer_is_loaded_after_them(tmp_path: Path) -> None:
    class Late:
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def state_dict(self) -> dict[str, Any]:
            return {}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.seen += [model.weight.item(), optimizer.param_groups[0]["lr"]]

    late, model = Late(), nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    run = LiveRun(TrainingRun({"late": late, "optimizer": optimizer, "model": model}))
    weight = model.weight.item()
    storage = storage_for(run, "torch")
    storage.save(run, tmp_path / "a.pt")
    nn.init.zeros_(model.weight)
    optimizer.param_groups[0]["lr"] = 0.0

    storage.load(run, tmp_path / "a.pt")

    assert late.seen == [weight, 0.5]


def test_saving_changes_nothing(tmp_path: Path) -> None:
    run = trained(1, 2)
    before = capture(run.components)

    for name in ("torch", "torch-whole", "pickle"):
        storage_for(run, name).save(run, tmp_path / name)

    assert not compare(before, capture(run.components))


@pytest.mark.parametrize("whole", ["torch-whole", "torch"])
def test_generators_and_names_of_our_own_are_no_obstacle(whole: str, tmp_path: Path) -> None:
    def run(seed: int) -> LiveRun:
        return LiveRun(
            TrainingRun(
                {
                    "random_state": torch.Generator().manual_seed(seed),
                    "rng": np.random.default_rng(seed),
                    "best": {"loss": torch.tensor(float(seed))},
                }
            )
        )

    saved, fresh = run(1), run(2)
    tree = capture(saved.components, hidden=False)
    storage = storage_for(saved, whole)
    if (reason := storage.refuses(saved)) is not None:
        assert "Generator" in reason
        return
    storage.save(saved, tmp_path / "checkpoint")
    storage.load(fresh, tmp_path / "checkpoint")

    assert not compare(tree, capture(fresh.components, hidden=False))


def test_a_payload_holds_state_dicts_or_the_objects_themselves() -> None:
    run = trained(1, 1)

    states, whole = payload_of(run), payload_of(run, whole=True)

    assert list(states) == ["scheduler", "optimizer", "model", "pytest_ckpt_random_state"]
    assert states["model"].keys() == run.components["model"].state_dict().keys()
    assert states["model"]._metadata is not None
    assert whole["model"] is run.components["model"]
    assert not compare(whole["pytest_ckpt_random_state"], get_random_state())


def test_a_format_may_refuse_a_run() -> None:
    run = LiveRun(TrainingRun({"odd": {"function": lambda: None}}))

    assert format_storage(get_format("safetensors")).refuses(run) is not None
    assert own_storage().refuses(run) is None


def test_a_runs_own_functions_are_its_storage(tmp_path: Path) -> None:
    calls: list[Any] = []
    run = LiveRun(
        TrainingRun({}, save=lambda path: calls.append(("save", path)), load=lambda path: calls.append(("load", path)))
    )
    storage = storage_for(run, "")

    storage.save(run, tmp_path)
    storage.load(run, tmp_path)

    assert (storage.name, storage.suffix) == ("own", ".pt")
    assert calls == [("save", tmp_path), ("load", tmp_path)]


def test_without_functions_of_its_own_a_run_is_kept_by_torch() -> None:
    run = LiveRun(TrainingRun({}))

    assert storage_for(run, "").name == "torch"
    with pytest.raises(UsageError) as caught:
        storage_for(run, "own")
    assert str(caught.value) == "The format 'own' is the run's own save and load, but it has none."


def test_a_format_can_be_asked_of_a_run_with_functions_of_its_own() -> None:
    run = LiveRun(TrainingRun({}, save=lambda path: None, load=lambda path: None))

    assert storage_for(run, "pickle").name == "pickle"

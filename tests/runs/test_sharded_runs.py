"""Programs of fully_shard and DTensor, as one rank on a CPU: what is right passes, what is lost is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load as load_shards
from torch.distributed.checkpoint.state_dict_saver import save as save_shards
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from zoo_parts import batch, fit, mlp

from pytest_ckpt import CheckpointFailure, TrainingRun, capture, check_training_run, compare

FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)


@pytest.fixture(autouse=True)
def group(tmp_path: Path) -> Iterator[None]:
    if torch.distributed.is_initialized():  # by an example that this process has imported
        yield
        return
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def sharded_mlp() -> nn.Module:
    model, mesh = mlp(), init_device_mesh("cpu", (1,))
    for part in (*(layer for layer in model if list(layer.parameters())), model):
        fully_shard(part, mesh=mesh)
    return model


class Sharded:
    """Saves shards with torch.distributed.checkpoint; the optimizer as soon as it has state.

    get_optimizer_state_dict takes a step to make up the state of one that has none, which shows in Adam's count.
    """

    def __init__(self) -> None:
        self.model = sharded_mlp()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def step(self, i: int) -> float:
        return fit(self.model, self.optimizer, batch(i))

    def save(self, path: Path) -> None:
        state: dict[str, Any] = {"model": get_model_state_dict(self.model)}
        if self.optimizer.state:
            state["optimizer"] = get_optimizer_state_dict(self.model, self.optimizer)
        save_shards(state, checkpoint_id=path)

    def load(self, path: Path) -> None:
        model = get_model_state_dict(self.model)
        load_shards({"model": model}, checkpoint_id=path)
        set_model_state_dict(self.model, model)
        names = FileSystemReader(path).read_metadata().state_dict_metadata
        if any(name.startswith("optimizer.") for name in names):
            optimizer = get_optimizer_state_dict(self.model, self.optimizer)
            load_shards({"optimizer": optimizer}, checkpoint_id=path)
            set_optimizer_state_dict(self.model, self.optimizer, optimizer)


class Gathered(Sharded):
    """Saves whole tensors in one file."""

    def save(self, path: Path) -> None:
        state: dict[str, Any] = {"model": get_model_state_dict(self.model, options=FULL)}
        if self.optimizer.state:
            state["optimizer"] = get_optimizer_state_dict(self.model, self.optimizer, options=FULL)
        torch.save(state, path)

    def load(self, path: Path) -> None:
        state = torch.load(path)
        set_model_state_dict(self.model, state["model"], options=FULL)
        if "optimizer" in state:
            set_optimizer_state_dict(self.model, self.optimizer, state["optimizer"], options=FULL)


class GatheredByHand(Sharded):
    """Saves ``full_tensor()`` of each parameter, and gives out shards of it again."""

    def save(self, path: Path) -> None:
        weights = {name: value.full_tensor() for name, value in self.model.state_dict().items()}
        torch.save({"model": weights, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path: Path) -> None:
        saved = torch.load(path, weights_only=False)  # the optimizer's state is DTensors
        own = self.model.state_dict()
        shards = {k: distribute_tensor(v, own[k].device_mesh, own[k].placements) for k, v in saved["model"].items()}
        self.model.load_state_dict(shards)
        self.optimizer.load_state_dict(saved["optimizer"])


class LeavesTheMomentsBehind(Sharded):
    def save(self, path: Path) -> None:
        save_shards({"model": get_model_state_dict(self.model)}, checkpoint_id=path)


class ReadsTheNamesOfAnOldFile(Gathered):
    """Saved as DistributedDataParallel named it, read by fully_shard, which has no prefix."""

    def save(self, path: Path) -> None:
        weights = get_model_state_dict(self.model, options=FULL)
        torch.save({"model": {f"module.{name}": value for name, value in weights.items()}}, path)

    def load(self, path: Path) -> None:
        lenient = StateDictOptions(full_state_dict=True, strict=False)
        set_model_state_dict(self.model, torch.load(path)["model"], options=lenient)


class SavesBeforeTheFirstStep(Sharded):
    def save(self, path: Path) -> None:
        optimizer = get_optimizer_state_dict(self.model, self.optimizer)
        save_shards({"model": get_model_state_dict(self.model), "optimizer": optimizer}, checkpoint_id=path)


def run_of(program: type[Sharded]) -> Any:
    def make_run() -> TrainingRun:
        made = program()
        parts = {"model": made.model, "optimizer": made.optimizer}
        return TrainingRun(components=parts, step=made.step, save=made.save, load=made.load)

    return make_run


@pytest.mark.parametrize("program", [Sharded, Gathered, GatheredByHand])
def test_a_correct_program_passes_every_check(program: type[Sharded]) -> None:
    found = check_training_run(run_of(program), steps=3)

    assert {item.status for item in found} <= {"pass", "skipped"}, found
    assert {item.check for item in found if item.status == "pass"} >= {"state_is_restored", "resume_is_exact"}


@pytest.mark.parametrize(
    ("program", "check", "lost"),
    [
        (LeavesTheMomentsBehind, "state_is_restored", "optimizer.state[0.weight]: missing"),
        (
            ReadsTheNamesOfAnOldFile,
            "state_is_restored",
            'Names in the checkpoint begin with "module." and those of the model do not: it is that of DataParallel or '
            "DistributedDataParallel. Save model.module.state_dict(), or take it off in load: torch.nn.modules.utils."
            'consume_prefix_in_state_dict_if_present(state_dict, "module.").',
        ),
        (
            SavesBeforeTheFirstStep,
            "saving_changes_nothing",
            "save(path) changed optimizer.state[0.weight]: before nothing, after dict with 3 keys",
        ),
    ],
)
def test_a_loss_is_found_and_named(program: type[Sharded], check: str, lost: str) -> None:
    with pytest.raises(CheckpointFailure) as failure:
        check_training_run(run_of(program), steps=3, select=[check])

    assert lost in str(failure.value)


def test_a_process_group_outlives_the_checks() -> None:
    check_training_run(run_of(Sharded), steps=2, select=["state_is_restored"])

    assert torch.distributed.is_initialized()
    assert torch.distributed.get_world_size() == 1


def test_a_picture_of_sharded_tensors_is_a_copy() -> None:
    model = sharded_mlp()
    before = capture({"model": model})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)

    after = capture({"model": model})
    assert isinstance(after.state["model"]["0.weight"], DTensor)
    assert compare(before.state, before.state).mismatches == ()
    assert {item.path for item in compare(before.state, after.state)} == {
        f"model.{name}" for name in model.state_dict()
    }


def test_where_the_shards_lie_is_part_of_the_state() -> None:
    mesh = init_device_mesh("cpu", (1,))
    rows, whole = (distribute_tensor(torch.ones(2, 2), mesh, [place]) for place in (Shard(0), Replicate()))

    (mismatch,) = compare({"weight": rows}, {"weight": whole})

    assert (mismatch.path, mismatch.kind) == ("weight", "value")
    assert mismatch.expected.startswith("DTensor ((Shard(dim=0),)")
    assert mismatch.actual.startswith("DTensor ((Replicate(),)")

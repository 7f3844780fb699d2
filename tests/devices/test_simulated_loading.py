"""What torch.load does with the locations of a checkpoint, in every form of map_location and every way to read."""

from __future__ import annotations

import importlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dill
import pytest
import torch

from pytest_ckpt.devices import world

NO_CUDA = (
    "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. "
    "If you are running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') "
    "to map your storages to the CPU."
)
# Form, where a tensor of cuda:1 lands, and where one of the CPU does.
FORMS: dict[str, tuple[Any, str, str]] = {
    "missing": (None, "cuda:1", "cpu"),
    "str": ("cpu", "cpu", "cpu"),
    "str of another device": ("cuda:0", "cuda:0", "cuda:0"),
    "str without index": ("cuda", "cuda:0", "cuda:0"),
    "device": (torch.device("cuda", 0), "cuda:0", "cuda:0"),
    "dict": ({"cuda:1": "cuda:0"}, "cuda:0", "cpu"),
    "dict of others": ({"cuda:0": "cpu"}, "cuda:1", "cpu"),
    "callable that keeps": (lambda storage, location: storage, "cpu", "cpu"),
    "callable that moves": (lambda storage, location: storage.cuda(0), "cuda:0", "cuda:0"),
    "callable that passes": (lambda storage, location: None, "cuda:1", "cpu"),
}
WAYS: dict[str, dict[str, Any]] = {
    "bytes": {},
    "bytes, not weights only": {"weights_only": False},
    "file": {"file": True},
    "mmap": {"file": True, "mmap": True},
    "legacy": {"legacy": True},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", FORMS)
def test_a_tensor_lands_where_map_location_says(form: str, way: str, tmp_path: Path) -> None:
    options = dict(WAYS[way])
    legacy = options.pop("legacy", False)
    target: Any = tmp_path / "checkpoint.pt" if options.pop("file", False) else io.BytesIO()
    map_location, expected, of_the_cpu = FORMS[form]

    with world("cuda:1"):
        state = {"weight": torch.arange(4.0, device="cuda:1"), "step": torch.tensor(3)}
        torch.save(state, target, _use_new_zipfile_serialization=not legacy)
        if isinstance(target, io.BytesIO):
            target.seek(0)
        loaded = torch.load(target, map_location=map_location, **options)

        assert str(loaded["weight"].device) == expected
        assert loaded["weight"].tolist() == [0.0, 1.0, 2.0, 3.0]
        assert str(loaded["step"].device) == of_the_cpu


@pytest.fixture
def written() -> io.BytesIO:
    file = io.BytesIO()
    with world("cuda:1"):
        torch.save({"weight": torch.arange(4.0, device="cuda:1")}, file)
    file.seek(0)
    return file


def test_a_machine_without_accelerators_refuses_as_torch_does(written: io.BytesIO) -> None:
    with pytest.raises(RuntimeError) as outside:
        torch.load(written)
    written.seek(0)
    with world("cpu"), pytest.raises(RuntimeError) as inside:
        torch.load(written)

    assert str(outside.value) == str(inside.value) == NO_CUDA


def test_a_machine_with_one_device_refuses_the_second(written: io.BytesIO) -> None:
    with world("cuda:0", count=1), pytest.raises(RuntimeError) as caught:
        torch.load(written)

    assert str(caught.value) == (
        "Attempting to deserialize object on CUDA device 1 but torch.cuda.device_count() is 1. "
        "Please use torch.load with map_location to map your storages to an existing device."
    )


def test_map_location_helps_a_machine_without_accelerators(written: io.BytesIO) -> None:
    with world("cpu"):
        assert str(torch.load(written, map_location="cpu")["weight"].device) == "cpu"


@pytest.mark.parametrize(("kind", "location"), [("mps", b"mps"), ("xpu:1", b"xpu:1"), ("cuda:0", b"cuda:0")])
def test_each_kind_writes_its_own_location(kind: str, location: bytes) -> None:
    file = io.BytesIO()
    with world(kind):
        torch.save(torch.ones(3).to(kind), file, _use_new_zipfile_serialization=False)
        file.seek(0)

        assert torch.load(file).device == torch.ones(1).to(kind).device
    assert location in file.getvalue()


@pytest.mark.parametrize("codec", [pickle, dill])
def test_a_pickled_module_comes_back_to_its_device(codec: Any) -> None:
    with world("cuda:1"):
        module = torch.nn.Linear(2, 2).to("cuda:1")

        assert str(codec.loads(codec.dumps(module)).weight.device) == "cuda:1"


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning:torch")
def test_distributed_checkpoints_load_into_the_targets_device(tmp_path: Path) -> None:
    dcp: Any = importlib.import_module("torch.distributed.checkpoint")

    with world("cuda:1"):
        saved, fresh = torch.nn.Linear(2, 2).to("cuda:1"), torch.nn.Linear(2, 2).to("cuda:0")
        dcp.save({"model": saved.state_dict()}, checkpoint_id=tmp_path / "dcp", no_dist=True)
        target = {"model": fresh.state_dict()}
        dcp.load(target, checkpoint_id=tmp_path / "dcp", no_dist=True)

        assert fresh.weight.tolist() == saved.weight.tolist()
        assert str(fresh.weight.device) == "cuda:0"


def test_safetensors_knows_no_device_of_its_own(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")

    with world("cuda:1"):
        safetensors.save_file({"weight": torch.ones(2, device="cuda:1")}, tmp_path / "a.safetensors")

        assert str(safetensors.load_file(tmp_path / "a.safetensors")["weight"].device) == "cpu"
        assert str(safetensors.load_file(tmp_path / "a.safetensors", device="cuda:1")["weight"].device) == "cuda:1"


def test_the_scale_of_a_grad_scaler_is_on_the_device() -> None:
    with world("cuda:1"):
        model = torch.nn.Linear(2, 1).to("cuda:1")
        optimizer, scaler = torch.optim.SGD(model.parameters()), torch.amp.GradScaler("cuda", init_scale=4.0)
        scaler.scale(model(torch.ones(1, 2, device="cuda:1")).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        again = torch.amp.GradScaler("cuda")
        again.load_state_dict(scaler.state_dict())

        assert again.get_scale() == scaler.get_scale() == 4.0
        assert str(model.weight.device) == "cuda:1"


def test_autocast_does_nothing_on_a_simulated_device() -> None:
    """A limit: no claim about mixed precision can be tested here."""
    with world("cuda:1"), torch.autocast("cuda", dtype=torch.float16):
        assert torch.nn.Linear(2, 2).to("cuda:1")(torch.ones(1, 2, device="cuda:1")).dtype == torch.float32


LIMITS: dict[str, Callable[[], Any]] = {
    "DataParallel": lambda: torch.nn.DataParallel(torch.nn.Linear(2, 2).to("cuda:0"))(torch.ones(4, 2).to("cuda:0")),
    "legacy tensor types": lambda: torch.cuda.FloatTensor(2),  # type: ignore[attr-defined]
    "nested tensors": lambda: torch.nested.nested_tensor([torch.ones(2)], device="cuda:1"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_what_cannot_be_simulated_raises(limit: str) -> None:
    """Limits are loud: none of these goes on silently on the CPU."""
    with world("cuda:1"), pytest.raises((AttributeError, NotImplementedError, RuntimeError, TypeError)):
        LIMITS[limit]()

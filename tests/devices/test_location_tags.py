"""Locations in checkpoints, written and read without any device."""

from __future__ import annotations

import io
import pickletools
import threading
import zipfile
from typing import Any

import dill
import pytest
import torch

from pytest_ckpt.devices import Landing, reading_anywhere, world, written_on


def saved(value: Any, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(value, file, **options)
    file.seek(0)
    return file


def locations(file: io.BytesIO) -> list[str]:
    """Return every location that the pickle inside spells in full."""
    with zipfile.ZipFile(file) as archive:
        content = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
    kinds = ("cpu", "cuda", "mps", "xpu")
    return [arg for _, arg, _ in pickletools.genops(content) if isinstance(arg, str) and arg.split(":")[0] in kinds]


@pytest.mark.parametrize("device", ["cuda:0", "cuda:1", "xpu:1", "mps"])
def test_a_file_has_the_bytes_that_the_device_would_write(device: str) -> None:
    state = {"a": torch.arange(3.0), "b": torch.arange(4), "c": torch.ones(2, 2)}
    with world(device):
        moved = {name: tensor.to(device) for name, tensor in state.items()}
        expected = saved(moved).getvalue()

    with written_on(device):
        actual = saved(state).getvalue()

    assert actual == expected
    assert saved(state).getvalue() != expected


def test_a_legacy_file_is_as_long_and_names_the_device_as_often() -> None:
    """Its storages are called by their addresses, which no two files share."""
    with world("cuda:1"):
        expected = saved([torch.ones(3).to("cuda:1")] * 2, _use_new_zipfile_serialization=False).getvalue()
    with written_on("cuda:1"):
        actual = saved([torch.ones(3)] * 2, _use_new_zipfile_serialization=False).getvalue()

    assert actual.count(b"cuda:1") == expected.count(b"cuda:1") == 1


def test_each_storage_spells_its_location_in_full() -> None:
    """As in files really written on CUDA, such as the weights in the lpips wheel; a constant would be written once."""
    with written_on("cuda:0"):
        file = saved([torch.ones(1), torch.ones(2), torch.ones(3)])

    assert locations(file) == ["cuda:0", "cuda:0", "cuda:0"]


def test_a_whole_program_writes_the_same_bytes_with_tags_alone() -> None:
    def train(device: str) -> bytes:
        torch.manual_seed(1)
        model = torch.nn.Linear(3, 2).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        model(torch.ones(1, 3).to(device)).sum().backward()
        optimizer.step()
        return saved({"model": model.state_dict(), "optimizer": optimizer.state_dict()}).getvalue()

    with world("cuda:1"):
        expected = train("cuda:1")
    with written_on("cuda:1"):
        assert train("cpu") == expected


def test_other_threads_and_other_picklers_write_it_too() -> None:
    found: list[bytes] = []
    with written_on("cuda:1"):
        thread = threading.Thread(target=lambda: found.append(saved(torch.ones(2)).getvalue()))
        thread.start()
        thread.join()
        found.append(dill.dumps(torch.ones(2)))

    assert [b"cuda:1" in content for content in found] == [True, True]


def test_outside_nothing_has_changed() -> None:
    with written_on("cuda:1"):
        file = saved(torch.ones(2))

    assert locations(saved(torch.ones(2))) == ["cpu"]
    with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
        torch.load(file)


def test_a_ledger_says_what_would_land_where() -> None:
    with written_on("cuda:1"):
        file = saved({"a": torch.zeros(3), "b": torch.zeros(2, dtype=torch.float64)})
    with reading_anywhere() as ledger:
        loaded = torch.load(file)

    assert str(loaded["a"].device) == "cpu"
    assert ledger.landings == (Landing(location="cuda:1", bytes=12), Landing(location="cuda:1", bytes=16))
    assert ledger.bytes == {"cuda:1": 28}
    assert repr(ledger) == "Ledger(cuda:1: 28 bytes)"


@pytest.mark.parametrize(
    ("map_location", "expected"),
    [("cpu", {"cpu": 12}), ("cuda:0", {"cuda:0": 12}), ({"cuda:1": "cuda:3"}, {"cuda:3": 12}), (None, {"cuda:1": 12})],
)
def test_a_ledger_knows_map_location(map_location: Any, expected: dict[str, int]) -> None:
    with written_on("cuda:1"):
        file = saved(torch.zeros(3))
    with reading_anywhere() as ledger:
        torch.load(file, map_location=map_location)

    assert ledger.bytes == expected


def test_a_callable_that_returns_the_storage_bypasses_the_ledger() -> None:
    with written_on("cuda:1"):
        file = saved(torch.zeros(3))
    with reading_anywhere() as ledger:
        torch.load(file, map_location=lambda storage, location: storage)

    assert ledger.landings == ()
    assert repr(ledger) == "Ledger(nothing read)"

"""Directories of torch.distributed.checkpoint: tensors whole, in rows and in tiles, and what is damaged in them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from agreement import disagreements
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter, _StorageInfo
from torch.distributed.checkpoint.metadata import ChunkStorageMetadata, Metadata, MetadataIndex
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from pytest_ckpt.cli import main
from pytest_ckpt.inspection import Contents, inspect_checkpoint
from pytest_ckpt.inspection.comparing import compare_contents

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")
WHOLE = torch.arange(24.0).reshape(4, 6)
ROWS = [((2, 0), WHOLE[2:]), ((0, 0), WHOLE[:2])]
TILES = [((0, 0), WHOLE[:2, :3]), ((0, 3), WHOLE[:2, 3:]), ((2, 0), WHOLE[2:, :3]), ((2, 3), WHOLE[2:, 3:])]


def write(directory: Path, shards: Sequence[tuple[tuple[int, ...], torch.Tensor]]) -> None:
    """Write one tensor in several shards, each in a file of its own, as several ranks do."""
    save({"w": WHOLE}, storage_writer=FileSystemWriter(directory), no_dist=True)
    metadata: Metadata = pickle.loads((directory / ".metadata").read_bytes())
    places, chunks = {}, []
    for number, (place, tensor) in enumerate(shards):
        file = io.BytesIO()
        torch.save(tensor.clone(), file)
        name = f"__{number}_0.distcp"
        (directory / name).write_bytes(b"padding" + file.getvalue())
        index = MetadataIndex("w", torch.Size(place), number)
        places[index] = _StorageInfo(name, 7, len(file.getvalue()))
        chunks.append(ChunkStorageMetadata(torch.Size(place), tensor.shape))
    metadata.storage_data = places
    entry: Any = metadata.state_dict_metadata["w"]
    metadata.state_dict_metadata = {"w": replace(entry, chunks=chunks)}
    (directory / ".metadata").write_bytes(pickle.dumps(metadata))


@pytest.mark.parametrize("shards", [ROWS, TILES], ids=["rows", "tiles"])
def test_shards_are_put_together_as_torch_does(shards: Any, tmp_path: Path) -> None:
    write(tmp_path, shards)
    loaded = {"w": torch.zeros(4, 6)}
    load(loaded, storage_reader=FileSystemReader(tmp_path), no_dist=True)
    torch.save({"w": WHOLE}, tmp_path / "whole.pt")

    contents = inspect_checkpoint(tmp_path)

    assert torch.equal(loaded["w"], WHOLE)
    assert contents.problems == ()
    assert list(compare_contents(contents, inspect_checkpoint(tmp_path / "whole.pt"))) == []


def test_a_changed_shard_is_a_difference(tmp_path: Path) -> None:
    write(tmp_path / "a", TILES)
    write(tmp_path / "b", [*TILES[:3], (TILES[3][0], TILES[3][1] + 1)])

    (found,) = compare_contents(inspect_checkpoint(tmp_path / "a"), inspect_checkpoint(tmp_path / "b"))

    assert (found.path, found.detail) == ("w", "6 of 24 elements differ, by at most 1")


def saved(directory: Path) -> Contents:
    state = {"m": {"w": WHOLE, "b": torch.ones(2)}, "o": {"lr": 0.1, "l": [1, "a"]}}
    save(state, storage_writer=FileSystemWriter(directory), no_dist=True)
    return inspect_checkpoint(directory)


def test_names_are_nested_again(tmp_path: Path) -> None:
    contents = saved(tmp_path)

    assert disagreements(contents, {"m": {"w": WHOLE, "b": torch.ones(2)}, "o": {"lr": 0.1, "l": [1, "a"]}}) == []


def test_a_scan_of_a_good_directory_finds_nothing(tmp_path: Path) -> None:
    saved(tmp_path)

    assert main(["scan", str(tmp_path)]) == 0


def test_a_shard_that_is_cut_off_or_missing_is_told(tmp_path: Path) -> None:
    saved(tmp_path)
    shard = tmp_path / "__0_0.distcp"
    shard.write_bytes(shard.read_bytes()[:-10])
    assert [problem.partition(", ")[2] for problem in inspect_checkpoint(tmp_path).problems] == [
        "which is missing or cut off."
    ]

    shard.unlink()
    assert len(inspect_checkpoint(tmp_path).problems) == 4


def test_code_in_a_shard_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return print, ("it has run",)

    save({"a": Hostile()}, storage_writer=FileSystemWriter(tmp_path), no_dist=True)

    assert main(["scan", str(tmp_path)]) == 1
    assert "dangerous: reading it in full calls __builtin__.print." in capsys.readouterr().out

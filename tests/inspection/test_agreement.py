"""What inspection says of a file is what torch makes of it: every leaf, every bit, in every way to write it."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import dill
import pytest
import torch
from agreement import disagreements
from checkpoints import PAYLOADS, WRITERS, train, views
from safetensors.torch import load_file, save_file

from pytest_ckpt.inspection import TensorInfo, inspect_checkpoint, walk
from pytest_ckpt.inspection.values import open_values

# Both directions: torch says so itself when it quantizes, or makes a CSR tensor.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*(Q|q)uantiz.*"),
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental:UserWarning"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning"),
]


def load(path: Path, writer: str) -> Any:
    if "zip" in writer or "legacy" in writer:
        return torch.load(path, weights_only=False)
    return dill.loads(path.read_bytes())


# torch writes its new dtypes in every format, but reads them from zip archives alone.
CASES = [(payload, writer) for payload in PAYLOADS for writer in WRITERS if payload != "new dtypes" or "zip" in writer]


@pytest.mark.parametrize(("payload", "writer"), CASES)
def test_inspection_agrees_with_torch(payload: str, writer: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    WRITERS[writer](PAYLOADS[payload](), path)

    contents = inspect_checkpoint(path)

    assert contents.problems == ()
    assert disagreements(contents, load(path, writer)) == []


def test_a_disagreement_would_be_seen(tmp_path: Path) -> None:
    """Guards the tests around it: each kind of difference is one that the comparison names."""
    torch.save(train(), tmp_path / "a.pt")
    contents, loaded = inspect_checkpoint(tmp_path / "a.pt"), train()
    loaded["epoch"] = 4
    loaded["model"]["0.weight"][0, 0] += 1
    loaded["model"]["0.bias"] = loaded["model"]["0.bias"].double()
    loaded["model"]["2.weight"] = loaded["model"]["2.weight"].T.contiguous().T
    loaded["model"]["2.bias"] = loaded["model"]["1.bias"][:2]

    found = {line.partition(":")[0] for line in disagreements(contents, loaded)}

    places = {"root.model.0.weight", "root.model.0.bias", "root.model.2.weight", "root.model.2.bias", "root.epoch"}
    assert found == places


def test_a_safetensors_file_agrees(tmp_path: Path) -> None:
    save_file(train()["model"], tmp_path / "a.safetensors")

    loaded = load_file(tmp_path / "a.safetensors")

    contents = inspect_checkpoint(tmp_path / "a.safetensors")
    assert disagreements(contents, {name: loaded[name] for name in contents.root}) == []
    assert contents.root.keys() == loaded.keys()


def test_views_of_sixteen_byte_elements_and_of_megabytes_are_gathered_without_torch(tmp_path: Path) -> None:
    """In a process of its own: here torch has been imported."""
    import subprocess

    torch.save(views(), tmp_path / "a.pt")
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from pytest_ckpt.inspection import inspect_checkpoint, walk, TensorInfo\n"
        "from pytest_ckpt.inspection.values import open_values\n"
        f"contents = inspect_checkpoint(Path({str(tmp_path / 'a.pt')!r}))\n"
        "with open_values() as values:\n"
        "    print(sum(len(c) for _, t in walk(contents.root) for c in values.chunks(t)))\n"
        "print({'torch', 'numpy', 'hypothesis'} & sys.modules.keys())\n"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    expected = sum(value.numel() * value.element_size() for value in views().values())
    assert result.stdout.split("\n")[:2] == [str(expected), "set()"]


def test_a_storage_view_of_an_old_torch_is_read_as_torch_reads_it(tmp_path: Path) -> None:
    """Torch before 0.4 wrote a part of a storage under a name of its own."""
    file = io.BytesIO()
    for item in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}):
        pickle.dump(item, file, protocol=2)
    file.write(old_pickle(("view", 2, 3)))
    pickle.dump(["root"], file, protocol=2)
    file.write(struct.pack("<q6f", 6, *range(6)))
    path = tmp_path / "old.pt"
    path.write_bytes(file.getvalue())

    loaded = torch.load(path, weights_only=False)

    assert loaded.tolist() == [2.0, 3.0, 4.0]
    contents = inspect_checkpoint(path)
    assert contents.problems == ()
    with open_values() as values:
        assert b"".join(map(bytes, values.chunks(contents.root))) == struct.pack("<3f", 2, 3, 4)


def old_pickle(view: tuple[str, int, int]) -> bytes:
    class Pickler(pickle.Pickler):
        def persistent_id(self, item: Any) -> Any:
            return ("storage", torch.FloatStorage, "root", "cpu", 6, view) if item is Pickler else None

    class Tensor:
        def __reduce__(self) -> Any:
            return torch._utils._rebuild_tensor, (Pickler, 0, (3,), (1,))

    file = io.BytesIO()
    Pickler(file, protocol=2).dump(Tensor())
    return file.getvalue()


@pytest.mark.parametrize("name", ["float32", "complex64", "int16", "bool", "complex128"])
def test_a_zip_of_a_big_endian_machine_is_turned_round(name: str, tmp_path: Path) -> None:
    data = torch.arange(12).to(getattr(torch, name)).reshape(3, 4)
    torch.save({"a": data}, tmp_path / "little.pt")
    swapped = swap(data)
    with zipfile.ZipFile(tmp_path / "little.pt") as old, zipfile.ZipFile(tmp_path / "big.pt", "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            content = b"big" if entry.endswith("byteorder") else swapped if entry.endswith("data/0") else content
            new.writestr(entry, content)

    loaded = torch.load(tmp_path / "big.pt", weights_only=True)

    contents = inspect_checkpoint(tmp_path / "big.pt")
    assert torch.equal(loaded["a"], data)
    assert contents.facts["byte order"] == "big"
    assert disagreements(contents, loaded) == []


def swap(data: torch.Tensor) -> bytes:
    size = data.element_size() // (2 if data.is_complex() else 1)
    raw = bytes(data.contiguous().view(torch.uint8).flatten().tolist())
    return b"".join(raw[first : first + size][::-1] for first in range(0, len(raw), size))


def test_storages_are_shared_where_tensors_share_them(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    torch.save({"a": base, "b": base[2:], "c": base.clone()}, tmp_path / "a.pt")

    tensors = {keys[0]: value for keys, value in walk(inspect_checkpoint(tmp_path / "a.pt").root)}

    assert all(isinstance(tensor, TensorInfo) for tensor in tensors.values())
    assert tensors["a"].storages[0] is tensors["b"].storages[0]
    assert tensors["a"].storages[0] is not tensors["c"].storages[0]

"""Every format that a program saves in is read, and written back as what it was."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import dill
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
from torch.distributed.checkpoint.state_dict_saver import save as save_dcp

from pytest_ckpt.comparison import compare
from pytest_ckpt.editing import Document, read_checkpoint, read_saved
from pytest_ckpt.editing.places import replaced


def content() -> dict[str, Any]:
    model = torch.nn.Linear(3, 2).double()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(3).double()).sum().backward()
    optimizer.step()
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "history": [1.5, float("inf")],
    }


def _dump(module: Any, **options: Any) -> Callable[[Any, Path], object]:
    return lambda value, path: path.write_bytes(module.dumps(value, **options))


def _safetensors(value: Any, path: Path) -> None:
    save_file(dict(value["model"]), path, metadata={"format": "pt", "step": "3"})


def _dcp(value: Any, path: Path) -> None:
    save_dcp(value, storage_writer=FileSystemWriter(path), no_dist=True)


def _json(value: Any, path: Path) -> None:
    path.write_text(json.dumps({"epoch": value["epoch"], "history": value["history"]}))


def _read_dcp(path: Path) -> Any:
    buffer = path.parent.with_name("converted")
    dcp_to_torch_save(path, buffer)
    return torch.load(buffer)


def _read_safetensors(path: Path) -> Any:
    with safe_open(path, framework="pt") as file:
        return {**{name: file.get_tensor(name) for name in file.keys()}, "metadata": file.metadata()}  # noqa: SIM118


FORMATS: dict[str, tuple[Callable[[Any, Path], object], Callable[[Path], Any], str]] = {
    "zip": (torch.save, torch.load, "torch.save"),
    "legacy": (
        lambda value, path: torch.save(value, path, _use_new_zipfile_serialization=False),
        torch.load,
        "torch.save in its legacy format",
    ),
    "zip by dill": (lambda value, path: torch.save(value, path, pickle_module=dill), torch.load, "torch.save"),
    "pickle": (_dump(pickle), lambda path: pickle.loads(path.read_bytes()), "pickle"),
    "old pickle": (_dump(pickle, protocol=2), lambda path: pickle.loads(path.read_bytes()), "pickle"),
    "dill": (_dump(dill), lambda path: dill.loads(path.read_bytes()), "pickle"),
    "cloudpickle": (_dump(cloudpickle), lambda path: pickle.loads(path.read_bytes()), "pickle"),
    "safetensors": (_safetensors, _read_safetensors, "safetensors"),
    "dcp": (_dcp, _read_dcp, "torch.distributed.checkpoint"),
    "json": (_json, lambda path: json.loads(path.read_text()), "JSON"),
}
NO_GROUP = pytest.mark.filterwarnings("ignore:torch.distributed is disabled, unavailable or uninitialized")


@pytest.fixture(name="path")
def a_path(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    return folder / "checkpoint"


def rewritten(document: Document) -> Document:
    """Return the same with files that count as changed."""
    (name,) = document.files
    return document.with_content(name, document.files[name].content)


@NO_GROUP
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_back_unchanged_is_the_same_for_a_reader_of_the_format(name: str, path: Path) -> None:
    save, load, codec = FORMATS[name]
    save(content(), path)
    before = load(path)

    document = read_saved(path)
    rewritten(document).write_over(document)

    found = document.files[""].codec
    assert found is not None
    assert found.name == codec
    assert not compare({"file": before}, {"file": load(path)})
    assert not compare(document.files[""].content, read_saved(path).files[""].content)


@NO_GROUP
@pytest.mark.parametrize("name", FORMATS)
def test_one_thing_that_is_changed_is_all_that_changes(name: str, path: Path) -> None:
    save, load, _ = FORMATS[name]
    save(content(), path)
    before = load(path)
    keys = {"safetensors": ("weight",), "json": ("epoch",)}.get(name, ("model", "weight"))
    value = 4 if name == "json" else torch.ones(2, 2)

    document = read_saved(path)
    document.with_content("", replaced(document.files[""].content, keys, value)).write_over(document)

    diff = compare({"file": before}, {"file": load(path)})
    assert [(m.path, m.kind) for m in diff] == [
        ("file." + ".".join(keys), "value" if name == "json" else "dtype"),
    ]


def test_a_legacy_file_is_no_zip_afterwards(path: Path) -> None:
    FORMATS["legacy"][0](content(), path)
    document = read_saved(path)

    rewritten(document).write_over(document)

    assert not zipfile.is_zipfile(path)


def test_what_names_tensors_keep_beside_them_stays(path: Path) -> None:
    """``_metadata`` decides on migrations, and whether two tensors are one on what training does."""
    tied = torch.ones(2)
    state: Any = OrderedDict(a=tied, b=tied, c=torch.zeros(1))
    state._metadata = {"": {"version": 2}}
    torch.save({"model": state}, path)

    document = read_saved(path)
    document.with_content("", replaced(document.files[""].content, ("model", "c"), torch.ones(1))).write_over(document)

    model = torch.load(path)["model"]
    assert model._metadata == {"": {"version": 2}}
    assert model["a"].data_ptr() == model["b"].data_ptr()
    assert list(model) == ["a", "b", "c"]


def test_a_function_that_pickle_refuses_is_written_with_another_package(path: Path) -> None:
    path.write_bytes(cloudpickle.dumps({"schedule": lambda step: step * 2, "step": 1}))
    document = read_saved(path)

    document.with_content("", replaced(document.files[""].content, ("step",), 5)).write_over(document)

    found = pickle.loads(path.read_bytes())
    assert found["schedule"](found["step"]) == 10


def test_what_cannot_be_written_is_an_error_that_says_why(path: Path) -> None:
    path.write_bytes(pickle.dumps({"a": 1}))
    document = read_saved(path)

    with pytest.raises(TypeError, match="cannot pickle"):
        document.with_content("", {"a": (number for number in range(1))}).write_over(document)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (b"plain text", "its format is none that can be edited"),
        (b"", "its format is none that can be edited"),
        (b"\x80\x04garbage", "it cannot be read: UnpicklingError: pickle data was truncated"),
        (b"{half of it", "it cannot be read: JSONDecodeError: Expecting property name enclosed in double quotes"),
    ],
)
def test_what_cannot_be_read_says_why(written: bytes, reason: str, path: Path) -> None:
    path.write_bytes(written)

    assert read_saved(path).files[""].reason.startswith(reason)
    assert not read_saved(path).readable


@pytest.mark.parametrize("names", [["weights.npy"], ["net/data.pkl", "net/constants.pkl", "net/code/net.py"]])
def test_a_zip_that_is_not_of_torch_save_is_left_alone(names: list[str], path: Path) -> None:
    """The second is what TorchScript writes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")

    assert read_saved(path).files[""].reason == "its format is none that can be edited"


def test_files_beside_each_other_are_told_apart_by_name(path: Path) -> None:
    path.mkdir()
    (path / "sub").mkdir()
    torch.save({"a": torch.ones(1)}, path / "sub" / "weights.pt")
    (path / "state.json").write_text('{"epoch": 1}')
    (path / "notes").write_text("hello")
    (path / "latest").symlink_to("state.json")

    document = read_saved(path)

    assert set(document.files) == {"sub/weights.pt", "state.json", "notes"}
    assert document.spell("sub/weights.pt", ("a",)) == "sub/weights.pt: a"
    untouched = (path / "sub" / "weights.pt").stat().st_mtime_ns
    document.without("notes").with_content("state.json", {"epoch": 2}).write_over(document)
    assert json.loads((path / "latest").read_text()) == {"epoch": 2}
    assert not (path / "notes").exists()
    assert (path / "sub" / "weights.pt").stat().st_mtime_ns == untouched


def test_a_side_file_next_to_the_path_belongs_to_the_checkpoint(path: Path) -> None:
    torch.save({"a": 1}, path)
    path.with_name("checkpoint.json").write_text("{}")

    assert set(read_saved(path).files) == {"checkpoint", "checkpoint.json"}


class Explosive:
    def __reduce__(self) -> Any:
        return print, ("boom",)


@pytest.mark.parametrize(
    ("save", "reason"),
    [
        (FORMATS["pickle"][0], "reading pickle runs code that is in the file"),
        (torch.save, "it cannot be read: UnpicklingError: Weights only load failed"),
        (FORMATS["legacy"][0], "it cannot be read: UnpicklingError: Weights only load failed"),
    ],
)
def test_no_code_of_a_file_from_elsewhere_runs(
    save: Callable[[Any, Path], object], reason: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save({"a": Explosive()}, path)

    assert read_checkpoint(path, trusted=False).files[""].reason.startswith(reason)
    assert capsys.readouterr().out == ""
    assert read_checkpoint(path, trusted=True).readable
    assert capsys.readouterr().out == "boom\n"


@NO_GROUP
def test_a_directory_of_dcp_from_elsewhere_is_not_read_since_its_index_is_a_pickle(path: Path) -> None:
    _dcp({"a": torch.ones(1)}, path)

    reason = "reading torch.distributed.checkpoint runs code that is in the file"
    assert read_checkpoint(path, trusted=False).files[""].reason == reason


def test_files_from_elsewhere_that_run_no_code_are_read(path: Path) -> None:
    path.mkdir()
    torch.save({"a": torch.ones(1)}, path / "a.pt")
    save_file({"b": torch.ones(1)}, path / "b.safetensors")
    (path / "c.json").write_text("[1]")

    assert set(read_checkpoint(path, trusted=False).readable) == {"a.pt", "b.safetensors", "c.json"}


def test_reading_leaves_the_file_as_it_is(path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(content(), buffer)
    path.write_bytes(buffer.getvalue())

    read_saved(path)

    assert path.read_bytes() == buffer.getvalue()

"""``pytest-ckpt inspect``, ``diff`` and ``scan``: what they print, word for word, and their exit statuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pytest_ckpt.cli import main

STATE: dict[str, Any] = {
    "model": {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.tensor([1.5, -1.0])},
    "tied": torch.ones(1),
    "epoch": 3,
    "lr": 0.1,
}


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    """Status and lines; sizes of files depend on the version of torch."""
    capsys.readouterr()
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, re.sub(r"\), [\d.]+ k?B", "), SIZE", out + err).splitlines()


def test_inspect_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    base = torch.arange(6.0)
    torch.save({**STATE, "view": base[2:], "base": base, "table": list(range(100))}, "a.pt")

    assert printed(capsys, "inspect", "a.pt") == (
        0,
        [
            "a.pt: torch.save (zip), SIZE, pickle protocol 2, byte order little",
            "",
            "model.fc.weight  float32 (2, 3)            24 B",
            "model.fc.bias    float32 (2,)              8 B",
            "tied             float32 (1,)              4 B",
            "epoch            3",
            "lr               0.1",
            "view             float32 (4,)              16 B",
            "base             float32 (6,)              24 B, shares memory with view",
            "table            list of 100",
            "",
            "model: 2 tensors of 8 elements, 32 B",
            "5 tensors of 19 elements, 76 B.",
        ],
    )


def test_many_entries_are_added_up(capsys: pytest.CaptureFixture[str]) -> None:
    model = {f"layers.{n}.{name}": torch.zeros(2) for n in range(150) for name in ("weight", "bias")}
    torch.save({"model": model, "epoch": 3}, "a.pt")

    status, lines = printed(capsys, "inspect", "a.pt")

    assert (status, len(lines)) == (0, 157)
    assert lines[2] == "model.layers.0    2 tensors of 4 elements, 16 B"
    assert lines[152:] == [
        "epoch             3",
        "",
        "301 entries, added up below level 3: --depth 0 lists each of them.",
        "model: 300 tensors of 600 elements, 2.4 kB",
        "300 tensors of 600 elements, 2.4 kB.",
    ]
    assert len(printed(capsys, "inspect", "--depth", "0", "a.pt")[1]) == 306
    assert printed(capsys, "inspect", "--depth", "1", "a.pt")[1][2:4] == [
        "model  300 tensors of 600 elements, 2.4 kB",
        "epoch  3",
    ]


def test_inspect_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    save_file({"w": torch.ones(2, 3)}, "a.safetensors", {"made by": "me"})

    status, lines = printed(capsys, "inspect", "--json", "a.safetensors")

    assert status == 0
    leaf = {"dtype": "float32", "shape": [2, 3], "strides": [], "kind": "tensor", "device": "cpu", "bytes": 24}
    assert json.loads("\n".join(lines)) == {
        "path": "a.safetensors",
        "format": "safetensors",
        "facts": {"made by": "me"},
        "problems": [],
        "symbols": {},
        "leaves": {"w": {**leaf, "storages": ["w"]}},
    }


def test_diff_of_the_same_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(STATE, "a.pt")
    torch.save(STATE, "b.pt", _use_new_zipfile_serialization=False)

    assert printed(capsys, "diff", "a.pt", "b.pt") == (0, [])
    assert printed(capsys, "diff", "--json", "a.pt", "b.pt")[1] == ["{", '  "same": true,', '  "differences": []', "}"]


def test_diff_says_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    changed = {
        "fc.weight": STATE["model"]["fc.weight"] + torch.tensor([0.0, 0.25, 0.0]),
        "fc.bias": torch.ones(2).half(),
    }
    changed["head.weight"] = torch.zeros(3)
    torch.save({"model": changed, "renamed": {"tied": torch.arange(4.0)}, "epoch": 4, "lr": 0.1}, "b.pt")
    torch.save({**STATE, "tied": torch.arange(4.0), "gone": None}, "a.pt")

    assert printed(capsys, "diff", "a.pt", "b.pt") == (
        1,
        [
            "A: a.pt: torch.save (zip), SIZE, pickle protocol 2, byte order little",
            "B: b.pt: torch.save (zip), SIZE, pickle protocol 2, byte order little",
            "",
            "! model.fc.weight: float32 (2, 3): 2 of 6 elements differ, by at most 0.25",
            "! model.fc.bias: float32 (2,) -> float16 (2,)",
            "> tied: float32 (4,), moved to renamed.tied with the same bits",
            "! epoch: 3 -> 4",
            "- gone: None",
            "+ model.head.weight: float32 (3,)",
            "",
            "6 differences: 3 differ, 1 under another name, 1 only in A, 1 only in B.",
        ],
    )
    status, lines = printed(capsys, "diff", "--structure", "--limit", "1", "a.pt", "b.pt")
    assert (status, lines[3:5]) == (
        1,
        ["! model.fc.bias: float32 (2,) -> float16 (2,)", "... and 4 more; --limit 0 shows all"],
    )


def test_diff_sees_what_equality_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    nan = torch.tensor([float("nan"), 0.0])
    torch.save({"a": nan, "b": 0.0, "c": [1.0]}, "a.pt")
    torch.save({"a": nan.clone(), "b": -0.0, "c": [1]}, "b.pt")
    torch.save({"a": torch.tensor([float("nan"), -0.0]), "b": 0.0, "c": [1.0]}, "c.pt")

    assert printed(capsys, "diff", "a.pt", "b.pt")[1][3:5] == ["! b: 0.0 -> -0.0", "! c[0]: 1.0 -> 1"]
    line = "! a: float32 (2,): 1 of 2 elements differ, by the sign of zeros alone"
    assert printed(capsys, "diff", "a.pt", "c.pt")[1][3] == line


def test_scan_finds_nothing_in_a_good_file(capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(STATE, "a.pt")
    torch.save(STATE, "b.pt", _use_new_zipfile_serialization=False)

    assert printed(capsys, "scan", "a.pt", "b.pt") == (
        0,
        [
            "a.pt: torch.save (zip), SIZE, pickle protocol 2, byte order little",
            "    nothing found",
            "b.pt: torch.save (legacy), SIZE, pickle protocol 2, byte order little",
            "    nothing found; but this format has no checksums, so a changed bit would not show",
        ],
    )


def test_scan_says_what_is_wrong_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model": torch.nn.Linear(2, 2), "path": Path("x"), "own": STATE, "f": printed}, "a.pt")
    data = bytearray(Path("a.pt").read_bytes())
    data[data.index(torch.arange(6.0).numpy().tobytes())] ^= 1
    Path("a.pt").write_bytes(data)
    Path("b.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR\xff")

    status, lines = printed(capsys, "scan", "a.pt", "b.pkl")

    assert status == 1
    assert lines == [
        "a.pt: torch.save (zip), SIZE, pickle protocol 2, byte order little",
        "    damaged: a/data/2 is damaged: Bad CRC-32 for file 'a/data/2'.",
        "    foreign code: reading it in full imports test_cli_files.printed. "
        "If you trust it: --allow 'test_cli_files.printed'.",
        "b.pkl: Not a checkpoint of PyTorch that is known here: neither a zip archive, a pickle nor safetensors.",
        "    dangerous: reading it in full calls posix.system. Do not load it with weights_only=False.",
    ]
    torch.save({"f": printed}, "c.pt")
    assert printed(capsys, "scan", "c.pt", "--allow", "test_cli_*")[0] == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty: the program that wrote it was stopped, or the disk was full."),
        (b"\x89HDF\r\n\x1a\n", "Not a checkpoint of PyTorch: an HDF5 file, as Keras writes them."),
        (b"GGUF\3", "Not a checkpoint of PyTorch: a GGUF file, as llama.cpp reads them."),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "Not a checkpoint of PyTorch: a pointer of Git LFS, not the file itself: run `git lfs pull`.",
        ),
        (b"<!DOCTYPE html>", "A web page: the download got an error page instead of the file."),
        (b"\x08\x08\x12\x07pytorch\x1a", "Not a checkpoint of PyTorch: a model of ONNX."),
        (
            b"x" * 257 + b"ustar" + b"x" * 300,
            "A tar archive. If torch before 0.1.10 wrote it, torch.load(..., weights_only=False) reads it.",
        ),
        (
            b"hello",
            "Not a checkpoint of PyTorch that is known here: neither a zip archive, a pickle nor safetensors.",
        ),
    ],
)
def test_another_kind_of_file_is_named(content: bytes, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a").write_bytes(content)

    assert printed(capsys, "inspect", "a") == (2, [f"pytest-ckpt: a: {words}"])
    assert printed(capsys, "scan", "a") == (2, [f"a: {words}"])
    assert printed(capsys, "diff", "a", "a") == (2, [f"pytest-ckpt: a: {words}"])


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "inspect", "nothing.pt") == (2, ["pytest-ckpt: nothing.pt: There is no such file."])


def test_a_program_is_no_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    import zipfile

    names = {
        "A numpy archive (.npz): numpy.load reads it.": ["a.npy", "b.npy"],
        "An archive of torch.export: a program, not a checkpoint. torch.export.load reads it.": ["a/archive_format"],
        "A zip archive, but not one of torch.save: it holds x.": ["x"],
    }
    for words, entries in names.items():
        with zipfile.ZipFile("a", "w") as archive:
            for name in entries:
                archive.writestr(name, b"")
        assert printed(capsys, "inspect", "a") == (2, [f"pytest-ckpt: a: {words}"])


@pytest.mark.parametrize("command", [["inspect", "a.pt"], ["scan", "a.pt"], ["diff", "a.pt", "b.pt"]])
def test_no_command_imports_torch(command: list[str]) -> None:
    torch.save({**STATE, "t": torch.ones(2, 3).T, "w": torch.ones(2)}, "a.pt")
    torch.save({**STATE, "t": torch.zeros(2, 3).T}, "b.pt")
    code = (
        "import atexit, sys\n"
        "from pytest_ckpt.cli import main\n"
        f"main({command!r})\n"
        "print({'hypothesis', 'numpy', 'torch'} & sys.modules.keys())\n"
    )

    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "set()"

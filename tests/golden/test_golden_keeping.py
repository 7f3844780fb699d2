"""Kept checkpoints: copied, fetched, checked against their digest, and looked after from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch
from versions import Make, Net, Parts, RenamedHead, pack, program, unpack

from pytest_ckpt import Outcome
from pytest_ckpt.cli import main
from pytest_ckpt.errors import CkptError, MissingDependencyError, UsageError
from pytest_ckpt.golden.files import digest_of
from pytest_ckpt.golden.guarding import Request, guard
from pytest_ckpt.golden.losses import compare_losses
from pytest_ckpt.golden.manifest import Conditions, Golden, read_manifest, write_manifest

HERE = Conditions(torch="2.13.0", threads=1, capability="AVX2", machine="x86_64")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "__checkpoints__" / "it"


@pytest.fixture
def ask(folder: Path) -> Callable[..., Outcome]:
    def call(make_run: Make, **options: Any) -> Outcome:
        return guard(make_run, Request(**{"name": "it", "directory": folder, "mode": "backward", **options})).outcome

    return call


Ask = Callable[..., Outcome]


def edit(folder: Path, **changes: Any) -> None:
    manifest = read_manifest(folder / "manifest.json")
    (golden,) = manifest.goldens
    write_manifest(replace(manifest, goldens=(replace(golden, **changes),)), folder / "manifest.json")


def write_two_files(content: Any, path: Path) -> None:
    torch.save(content["model"], path)
    torch.save(content["optimizer"], path.with_suffix(".optimizer"))
    path.with_name("log.txt").write_text("saved")


def read_two_files(path: Path) -> Any:
    return {"model": torch.load(path), "optimizer": torch.load(path.with_suffix(".optimizer"))}


two_files = {"write": write_two_files, "read": read_two_files}


def test_a_checkpoint_of_several_files_is_kept_and_read_as_a_whole(ask: Ask, folder: Path) -> None:
    old = program(**two_files)  # type: ignore[arg-type]

    assert ask(old, update=True, keep="1.0").status == "pass"
    assert sorted(item.name for item in (folder / "1.0").iterdir()) == [
        "checkpoint.optimizer",
        "checkpoint.pt",
        "log.txt",
    ]
    manifest = read_manifest(folder / "manifest.json")
    assert manifest.file["checkpoint.pt: head.weight"] == "float32 (3, 6) = model.head.weight"
    assert manifest.holds["checkpoint.optimizer: state[2].exp_avg"] == "optimizer.state[head.weight].exp_avg"
    assert manifest.file["log.txt"] == "another format"
    assert ask(old).notes == ("The steps after the load return what they returned when it was kept, bit for bit.",)

    broken = ask(program(RenamedHead, **two_files))  # type: ignore[arg-type]
    assert broken.status == "fail"
    assert broken.causes[:2] == ("model.head.bias", "model.head.weight")
    assert "Today's code does not take the checkpoint of 1.0" in "\n".join(broken.details)


def test_a_url_is_fetched_and_checked(ask: Ask, folder: Path, tmp_path: Path) -> None:
    ask(program(), update=True, keep="1.0")
    (folder / "1.0.pt").rename(tmp_path / "elsewhere.pt")
    edit(folder, file=f"file://{tmp_path}/elsewhere.pt")

    assert ask(program()).status == "pass"

    (tmp_path / "elsewhere.pt").write_bytes(b"another")
    with pytest.raises(CkptError, match="is not the file that was kept"):
        ask(program())


def test_without_fsspec_the_command_to_install_it_is_given(
    ask: Ask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(program(), update=True, keep="1.0")
    edit(folder, file="s3://bucket/1.0.pt")
    monkeypatch.setitem(sys.modules, "fsspec", None)

    with pytest.raises(MissingDependencyError, match=r"s3://bucket/1\.0\.pt needs fsspec: pip install fsspec"):
        ask(program())


def test_a_file_that_is_gone_is_named(ask: Ask, folder: Path) -> None:
    ask(program(), update=True, keep="1.0")
    (folder / "1.0.pt").unlink()

    with pytest.raises(CkptError, match=r"There is no .*1\.0\.pt, which its manifest names"):
        ask(program())


@pytest.mark.parametrize("name", ["../1.0", "manifest", ".1"])
def test_a_name_that_is_no_file_name_is_refused(ask: Ask, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a golden"):
        ask(program(), update=True, keep=name)


def test_nothing_is_written_for_a_release_while_the_manifest_is_behind(ask: Ask, folder: Path) -> None:
    ask(program(), update=True)

    outcome = ask(program(pack=lambda parts: {**pack(parts), "epoch": 1}), keep="1.0")

    assert outcome.status == "fail"
    assert [item.name for item in folder.iterdir()] == ["manifest.json"]


def test_another_version_of_torch_may_write_something_more(ask: Ask, folder: Path) -> None:
    ask(program(), update=True)
    manifest = read_manifest(folder / "manifest.json")
    write_manifest(replace(manifest, made_with={**manifest.made_with, "torch": "2.6.0"}), folder / "manifest.json")

    outcome = ask(program(pack=lambda parts: {**pack(parts), "epoch": 1}))

    assert outcome.status == "pass"
    assert outcome.notes[0].startswith("The manifest was made with torch 2.6.0; with ")
    assert ask(program(RenamedHead)).status == "fail"


def halves(content: Any, parts: Parts) -> None:
    content["model"]["head.weight"] = content["model"]["head.weight"] / 2
    unpack(content, parts)


def test_what_load_computes_anew_is_decided_by_losses_alone(ask: Ask, folder: Path) -> None:
    ask(program(), update=True)
    changed = program(
        unpack=lambda content, parts: (unpack if "new" in content else halves)(content, parts),
        pack=lambda parts: {**pack(parts), "new": True},
    )

    outcome = ask(changed)
    assert "undecided" in "".join(outcome.details)
    assert outcome.notes[0].startswith("Undecided: load made something else of model.head.weight.")

    (folder / "manifest.json").unlink()
    ask(program(), update=True, keep="1.0")
    assert "losses" in ask(changed).causes


def test_a_run_without_training_can_be_guarded(ask: Ask) -> None:
    assert ask(Net, update=True, keep="1.0").status == "pass"
    assert ask(Net).status == "pass"


def test_a_format_that_nobody_looks_into_is_guarded_by_its_releases(ask: Ask, folder: Path) -> None:
    def write(content: Any, path: Path) -> None:
        path.write_bytes(b"\x1f\x8b")  # as if it were compressed
        torch.save(content, path.with_suffix(".hidden"))
        path.write_bytes(b"\x1f\x8b" + path.with_suffix(".hidden").read_bytes())
        path.with_suffix(".hidden").unlink()

    def read(path: Path) -> Any:
        path.with_suffix(".hidden").write_bytes(path.read_bytes()[2:])
        return torch.load(path.with_suffix(".hidden"))

    assert ask(program(write=write, read=read), update=True, keep="1.0").status == "pass"
    assert read_manifest(folder / "manifest.json").file == {"the file": "another format"}

    outcome = ask(program(RenamedHead, write=write, read=read))
    assert outcome.status == "fail"
    assert "No checkpoint can be made to the form of manifest.json" in outcome.notes[0]


def golden(**options: Any) -> Golden:
    return Golden(**{"name": "1", "file": "1.pt", "sha256": "", "at": 2, "losses": (), "conditions": HERE, **options})


def test_losses_are_compared_bit_for_bit_here_and_within_a_tolerance_elsewhere() -> None:
    one, close, far = ((number.hex(),) for number in (1.0, 1.0 + 1e-6, 1.1))
    kept, elsewhere = golden(losses=(one, one)), replace(HERE, capability="DEFAULT")

    assert compare_losses(kept, (one, one), HERE).agree
    assert compare_losses(kept, (one, close), elsewhere).agree
    found = compare_losses(kept, (one, close), HERE)
    assert (found.agree, found.step, found.expected, found.actual) == (False, 3, "1.0", "1.000001")
    found = compare_losses(kept, (far, one), elsewhere)
    assert (found.agree, found.step) == (False, 2)
    assert found.conditions == "within 0.001, since it was kept under capability AVX2 (here DEFAULT)"
    assert compare_losses(golden(), (one,), HERE).agree is None


def noisy(content: Any, parts: Parts) -> None:
    unpack(content, parts)
    parts["model"].register_forward_pre_hook(lambda module, x: (x[0] + noise(),))


def noise() -> float:
    return int.from_bytes(__import__("os").urandom(2), "little") / 1e5


def test_training_that_does_not_repeat_itself_is_not_accused(ask: Ask, folder: Path) -> None:
    ask(program(), update=True, keep="1.0")

    assert ask(program(unpack=noisy)).status == "pass"

    ask(program(unpack=noisy), keep="2.0")
    assert read_manifest(folder / "manifest.json").goldens[1].losses == ()


def test_the_digest_of_a_directory_knows_names_and_bytes(tmp_path: Path) -> None:
    for name, text in (("a", "1"), ("b", "2")):
        (tmp_path / name).write_text(text)
    first = digest_of(tmp_path)

    (tmp_path / "a").rename(tmp_path / "c")

    assert digest_of(tmp_path) != first


# The command line.


@pytest.fixture
def cared_for(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    ask(program(), update=True, keep="1.0")
    monkeypatch.chdir(tmp_path)
    return Path("__checkpoints__/it")


def test_the_command_lists(cared_for: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cared_for / "manifest.json").write_text(
        json.dumps(
            json.loads((cared_for / "manifest.json").read_text())
            | {"waivers": [{"path": "model.*", "reason": "young", "until": "2999-01-01"}]}
        )
    )

    assert main(["golden", "list"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("__checkpoints__/it/manifest.json: it, ")
    assert lines[1].startswith("    kept: 1.0: 1.0.pt, ")
    assert lines[2] == "    waived until 2999-01-01: model.*: young"


def test_the_command_verifies(cared_for: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["golden", "verify"]) == 0
    assert "    1.0: whole, and the file that was kept" in capsys.readouterr().out

    with (cared_for / "1.0.pt").open("ab") as file:
        file.write(b"x")
    assert main(["golden", "verify", "--json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem.startswith("1.0: 1.0.pt is not the file that was kept: its sha256 is ")


def test_the_command_knows_expired_waivers(cared_for: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads((cared_for / "manifest.json").read_text())
    document["waivers"] = [{"path": "model.*", "reason": "young", "until": str(date(2020, 1, 1))}]
    (cared_for / "manifest.json").write_text(json.dumps(document))

    assert main(["golden", "verify"]) == 1
    assert "problem: the waiver of model.* has expired on 2020-01-01; its reason was: young" in capsys.readouterr().out


def test_the_command_removes_only_when_told(cared_for: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cared_for / "stray.pt").touch()
    (cared_for / "1.0.pt").unlink()

    assert main(["golden", "prune"]) == 0
    assert (cared_for / "stray.pt").exists()

    assert main(["golden", "prune", "--yes"]) == 0
    assert sorted(item.name for item in cared_for.iterdir()) == ["manifest.json"]
    assert read_manifest(cared_for / "manifest.json").goldens == ()
    assert "removed: 1.0 in __checkpoints__/it/manifest.json: its file is not there" in capsys.readouterr().out


def test_the_command_says_how_to_update(cared_for: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["golden", "update"]) == 0
    assert capsys.readouterr().out == "pytest . --ckpt-update\n"


@pytest.mark.usefixtures("cared_for")
def test_a_directory_that_there_is_not_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["golden", "list", "nowhere"]) == 2
    assert capsys.readouterr().err == "pytest-ckpt: nowhere: there is no such directory.\n"

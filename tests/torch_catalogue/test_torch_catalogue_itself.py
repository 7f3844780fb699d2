"""The catalogue sees what is lost, is strict about its list, and says where torch's databases are missing."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_databases import DatabaseMissing, module_samples, optimizer_configurations
from torch_expected import Expected, problems
from torch_in_memory import in_memory
from torch_round_trips import Found, round_trips
from torch_subjects import Subject
from write_torch_page import Results, missing, page, read_results

from pytest_ckpt import module_run
from pytest_ckpt.formats import format_names, get_format
from pytest_ckpt.runs.storage import Storage, format_storage

GOOD = Subject(name="Linear(2, 1)", make_run=module_run(lambda: torch.nn.Linear(2, 1), inputs=torch.ones(3, 2)))
KEPT, LOST = Found(status="same"), Found(status="different", reason="model.weight: value differs")
ENTRY = Expected(status="different", of="nn.*", ways=("torch",), says="model.weight", because="it is so")


class Forgetful(torch.nn.Linear):
    """Loads its bias and nothing else."""

    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        return super().load_state_dict({"bias": state_dict["bias"]}, strict=False)


BAD = Subject(name="Forgetful", make_run=module_run(lambda: Forgetful(2, 1), inputs=torch.ones(3, 2)))


def storage(**changes: Any) -> Storage:
    return format_storage(replace(get_format("torch"), **changes))


@pytest.mark.parametrize("state", ["fresh", "trained"])
def test_what_is_lost_is_seen_and_the_others_in_the_file_are_not_accused(state: Any, tmp_path: Path) -> None:
    found = round_trips([GOOD, BAD], state, storage(), tmp_path)

    assert found["Linear(2, 1)"] == KEPT
    assert found["Forgetful"].reason.startswith("model.weight: value differs, saved float32 (1, 2)")
    assert in_memory("state_dict", [BAD], state)["Forgetful"].status == "different"


def test_one_that_cannot_be_loaded_does_not_hide_the_others(tmp_path: Path) -> None:
    def load(path: Path) -> Any:
        raise EOFError("half a file")

    assert round_trips([GOOD, BAD], "fresh", storage(load=load), tmp_path) == {
        name: Found(status="different", reason="EOFError: half a file") for name in ("Linear(2, 1)", "Forgetful")
    }


def test_a_format_that_refuses_what_it_keeps_is_found_out(tmp_path: Path) -> None:
    found = round_trips([GOOD], "trained", storage(refuses=lambda payload: "not today"), tmp_path)

    assert found["Linear(2, 1)"].reason == "is refused, but could be kept: not today"


def test_a_run_that_could_lose_nothing_is_no_proof(tmp_path: Path) -> None:
    always_the_same = Subject(name="Ones", make_run=lambda: {"part": _Ones()})

    with pytest.raises(AssertionError, match="Ones: nothing could be lost of part"):
        round_trips([always_the_same], "fresh", storage(), tmp_path)


class _Ones:
    last_epoch = 0

    def state_dict(self) -> dict[str, int]:
        return {"one": 1}

    def load_state_dict(self, state: dict[str, int]) -> None:
        pass


def test_the_list_is_strict_both_ways() -> None:
    where = "through torch, fresh"

    assert problems({"it": LOST}, {"it": [ENTRY]}, where=where) == []
    assert problems({"it": KEPT}, {"it": []}, where=where) == []
    assert problems({"it": LOST}, {"it": []}, where=where) == [f"it {where}: model.weight: value differs"]
    assert problems({"it": KEPT}, {"it": [ENTRY]}, where=where) == [
        f"it {where}: is the same, though torch_expected.py lists it (it is so)"
    ]
    other = Found(status="different", reason="model.bias: value differs")
    assert problems({"it": other}, {"it": [ENTRY]}, where=where) == [f"it {where}: model.bias: value differs"]
    refused = Found(status="refused", reason="model.weight is refused")
    assert problems({"it": refused}, {"it": [ENTRY]}, where=where) == [f"it {where}: model.weight is refused"]


@pytest.mark.parametrize("read", [module_samples, optimizer_configurations])
def test_a_torch_without_the_databases_says_so(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("common_modules", "common_optimizers"):
        monkeypatch.setitem(sys.modules, f"torch.testing._internal.{name}", None)

    with pytest.raises(DatabaseMissing, match=r"^torch 2\.\S+ offers no \w+ \(import of torch\.testing\._internal\."):
        read.__wrapped__()


def test_the_databases_leave_the_flags_of_torch_as_they_are() -> None:
    module_samples()

    assert not torch.backends.flags_frozen()


def test_the_page_is_only_written_of_a_whole_run(tmp_path: Path) -> None:
    (file := tmp_path / "results.xml").write_text(
        """<testsuites><testsuite><testcase><properties>
        <property name="torch catalogue" value='{"group": "nn.Linear", "rows": [["torch", "fresh", "same", "", 3]]}'/>
        <property name="torch catalogue" value='{"group": "nn.Linear", "checks": {"pass": 12}}'/>
        <property name="another" value="1"/>
        </properties></testcase></testsuite></testsuites>"""
    )
    results = read_results(file)

    assert results.found == {("torch", "same", ""): 3}
    assert results.checks == {"pass": 12}
    assert missing(results, {"nn.Linear"}).startswith("not every class went through torch-bytesio, ")


def test_the_page_counts_by_way_and_tells_why() -> None:
    found = Counter({("torch", "same", ""): 3, ("dcp", "refused", "x"): 1})
    results = Results(found=found, checks=Counter({"pass": 12}))
    for way in (*format_names(), "state_dict", "deepcopy"):
        results.groups[way].add("nn.Linear")

    text = page(results, {"nn.Linear": (GOOD,)}, date(2026, 11, 22))

    assert missing(results, {"nn.Linear"}) == ""
    assert missing(Results(groups=results.groups), {"nn.Linear"}) == "the default checks did not run"
    assert "2026-11-22: 1 classes of modules made in 1 ways." in text
    assert "| `torch` | 3 | 0 | 0 |" in text
    assert "| `dcp` | 0 | 1 | 0 |" in text
    results.found["torch", "different", ""] = 1
    assert missing(results, {"nn.Linear"}) == "something is lost that torch_expected.py does not list"

"""Parts of the guard alone: what becomes of content, paths into containers, waivers, the advice for a version."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import torch

from pytest_ckpt.golden.conversions import find_converted
from pytest_ckpt.golden.manifest import Waiver
from pytest_ckpt.golden.structure import keyed_mappings, place_at, pruned
from pytest_ckpt.golden.verdict import Finding, Verdict, Weight, semver, waive

NUMBERS = torch.linspace(0.1, 2.3, 12).reshape(3, 4)


@pytest.mark.parametrize(
    ("new", "how"),
    [
        (NUMBERS.double(), "in another dtype, with the same values"),
        (NUMBERS.bfloat16(), "rounded to another dtype"),
        (NUMBERS.t().contiguous(), "in another shape"),
        (torch.cat([NUMBERS, torch.zeros(2, 4)]), "with more beside it"),
        (torch.cat([torch.ones(1, 4), NUMBERS, torch.zeros(1, 4)]), "joined with others"),
    ],
)
def test_content_is_found_in_another_form(new: torch.Tensor, how: str) -> None:
    assert list(find_converted({"old": NUMBERS}, {"new": new})) == [("old", "new", how)]


def test_content_is_found_in_pieces() -> None:
    pieces = {"one": NUMBERS[:1].clone(), "rest": NUMBERS[1:].clone()}

    assert list(find_converted({"old": NUMBERS}, pieces)) == [("old", "one", "cut into 2: one, rest")]
    assert list(find_converted({"old": NUMBERS}, {"one": pieces["one"]})) == []


@pytest.mark.parametrize("new", [NUMBERS * 2, NUMBERS.double() * 2, torch.zeros(5, 4), torch.zeros(12)])
def test_other_content_is_not_found(new: torch.Tensor) -> None:
    assert list(find_converted({"old": NUMBERS}, {"old": new})) == []


def test_a_few_numbers_are_found_under_their_own_name_alone() -> None:
    few, more = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0, 3.0])

    assert [path for path, *_ in find_converted({"old": few}, {"old": more})] == ["old"]
    assert list(find_converted({"old": few}, {"new": more})) == []


CONTENT = {"m": {"a.b": 1, "c": 2}, "o": {"state": {0: {"x": 3}, 7: {"x": 4}}, "groups": [{"lr": 5}, {"lr": 6}]}}


def test_paths_lead_to_one_place() -> None:
    keyed = dict(keyed_mappings(CONTENT))
    root: dict[str, Any] = {}

    for path, value in {
        "m.a.b": 1,
        "m.c": 2,
        "o.state[0].x": 3,
        "o.state[7].x": 4,
        "o.groups[0].lr": 5,
        "o.groups[1].lr": 6,
    }.items():
        place_at(root, path, value, keyed)

    assert keyed == {"m": "names with dots", "o.state": "numbers"}
    assert root == CONTENT


def test_containers_that_end_up_empty_go() -> None:
    assert pruned(CONTENT, {"m.c", "o.groups[0].lr"}) == {"m": {"c": 2}, "o": {"groups": [{"lr": 5}]}}
    assert pruned(CONTENT, set()) is None


def verdict(*paths: str, weight: Weight = "breaking", direction: Any = "backward") -> Verdict:
    findings = tuple(Finding(path=path, kind="lost", old="a", new="b", weight=weight) for path in paths)
    return Verdict(direction=direction, of="1.0", basis="a kept checkpoint", findings=findings)


@pytest.mark.parametrize("glob", ["model.fc", "model.*", "model.fc.weight", "optimizer.state"])
def test_a_waiver_takes_what_it_names(glob: str) -> None:
    waivers = (Waiver(path=glob, reason="young", until=date(2030, 1, 1)),)
    path = "optimizer.state[fc.weight].exp_avg"

    waived, used = waive(verdict(path), waivers, date(2030, 1, 1))
    assert (waived.classification, used) == ("compatible", frozenset({glob}))
    assert waived.findings[0].waiver == "young (until 2030-01-01)"

    late, used = waive(verdict(path), waivers, date(2030, 1, 2))
    assert (late.classification, used) == ("breaking", frozenset({glob}))


def test_a_waiver_takes_nothing_else() -> None:
    waivers = (Waiver(path="model.fc", reason="young", until=date(2030, 1, 1)),)

    for path in ("model.fc2.weight", "optimizer.state[fc2.weight].exp_avg", "losses"):
        waived, used = waive(verdict(path), waivers, date(2029, 1, 1))
        assert (waived.classification, used) == ("breaking", frozenset())


@pytest.mark.parametrize(
    ("verdicts", "release"),
    [
        ((), "patch"),
        ((verdict(),), "patch"),
        ((verdict("a", weight="compatible"),), "minor"),
        ((verdict("a", weight="migration"),), "minor"),
        ((verdict("a", direction="forward"),), "minor"),
        ((verdict("a", direction="forward"), verdict("b")), "major"),
        ((verdict("a", weight="undecided"),), "major"),
    ],
)
def test_the_release_that_a_change_asks_for(verdicts: tuple[Verdict, ...], release: str) -> None:
    assert semver(verdicts) == release

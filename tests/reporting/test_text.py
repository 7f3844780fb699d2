"""Reports in words, from outcomes made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ckpt import Outcome, Outcomes
from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.reporting import MISMATCH_LIMIT, mismatch_lines, outcome_lines, report


def mismatch(path: str, kind: Any = "value", expected: str = "1", actual: str = "2", detail: str = "") -> Mismatch:
    return Mismatch(path=path, kind=kind, expected=expected, actual=actual, detail=detail)


def outcome(status: Any = "pass", check: str = "state_is_restored", **fields: Any) -> Outcome:
    return Outcome(check=check, status=status, **fields)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("value", "value differs"),
        ("type", "type differs"),
        ("container type", "container type differs"),
        ("number type", "number type differs"),
        ("dtype", "dtype differs"),
        ("shape", "shape differs"),
        ("layout", "layout differs"),
        ("class", "class differs"),
        ("requires_grad", "requires_grad differs"),
        ("strides", "strides differ"),
        ("device", "device differs"),
        ("missing", "missing"),
        ("unexpected", "unexpected"),
        ("sharing", "sharing"),
    ],
)
def test_a_mismatch_is_three_lines(kind: str, words: str) -> None:
    assert list(mismatch_lines((mismatch("model.w", kind),))) == [
        f"model.w: {words}",
        "    saved:  1",
        "    loaded: 2",
    ]


def test_details_stand_in_brackets_and_the_sides_have_names_of_one_width() -> None:
    lines = mismatch_lines((mismatch("w", detail="1 of 2 elements differ"),), words=("uninterrupted", "resumed"))

    assert list(lines) == [
        "w: value differs (1 of 2 elements differ)",
        "    uninterrupted: 1",
        "    resumed:       2",
    ]


def test_a_short_list_shows_every_component_before_it_shows_one_in_full() -> None:
    many = (*(mismatch(f"model.{n}") for n in range(10)), mismatch("optimizer[0]"), mismatch("scheduler.last"))

    lines = list(mismatch_lines(many, limit=4))

    assert [line for line in lines if not line.startswith(" ")] == [
        "model.0: value differs",
        "optimizer[0]: value differs",
        "scheduler.last: value differs",
        "model.1: value differs",
        "... and 8 more, use '-vv' to show",
    ]


def test_without_a_limit_everything_is_shown_in_order() -> None:
    many = (*(mismatch(f"model.{n}") for n in range(12)), mismatch("optimizer[0]"))

    assert len(list(mismatch_lines(many))) == 3 * MISMATCH_LIMIT + 1
    assert [line.split(":")[0] for line in list(mismatch_lines(many, limit=0))[::3]] == [m.path for m in many]


def test_an_outcome_says_what_happened_then_where_then_what_to_do() -> None:
    failed = outcome(
        "fail",
        summary="It changed.",
        mismatches=(mismatch("w"),),
        details=("A detail.",),
        advice="Save it.",
        notes=("One.", "Two."),
    )

    assert list(outcome_lines(failed)) == [
        "It changed.",
        "w: value differs",
        "    saved:  1",
        "    loaded: 2",
        "A detail.",
        "Save it.",
        'Or, if this is on purpose: expected_failures={"state_is_restored": "the reason"}.',
        "note: One.",
        "note: Two.",
    ]


@pytest.mark.parametrize("status", ["unexpected pass", "undecidable", "vacuous", "expected failure", "pass"])
def test_only_a_failure_can_be_expected(status: str) -> None:
    assert list(outcome_lines(outcome(status, summary="Words."))) == ["Words."]


def test_a_pass_has_nothing_to_say() -> None:
    assert list(outcome_lines(outcome())) == []


def test_a_report_has_totals_then_failures_then_the_rest() -> None:
    outcomes = Outcomes(
        name="make_run",
        items=(
            outcome("skipped", "outputs_are_restored", summary="The run has no predict=."),
            outcome("pass", "traits_are_restored"),
            outcome("pass", "state_is_restored", notes=("Not exercised: w.",)),
            outcome("vacuous", "resume_is_exact", summary="Nothing changed."),
            outcome("fail", "saving_changes_nothing", summary="It trains differently.", format="own"),
            outcome("undecidable", "resume_is_exact", summary="Noise.", format="dill", device="cuda:0"),
        ),
    )

    assert report(outcomes).splitlines() == [
        "Checkpoint checks of make_run: 1 fail, 1 undecidable, 1 vacuous, 2 pass, 1 skipped.",
        "",
        "FAIL saving_changes_nothing",
        "It trains differently.",
        'Or, if this is on purpose: expected_failures={"saving_changes_nothing": "the reason"}.',
        "",
        "UNDECIDABLE resume_is_exact [dill] on cuda:0",
        "Noise.",
        "",
        "VACUOUS resume_is_exact",
        "Nothing changed.",
        "",
        "PASS state_is_restored",
        "note: Not exercised: w.",
        "",
        "SKIPPED outputs_are_restored: The run has no predict=.",
    ]


def test_a_report_of_passes_is_one_line() -> None:
    assert report(Outcomes(items=(outcome(), outcome()), name="")) == "Checkpoint checks of the run: 2 pass."


def test_a_report_does_not_end_in_an_empty_line() -> None:
    assert report(Outcomes(items=(outcome("vacuous", summary="Nothing changed."),))).endswith("Nothing changed.")


def test_a_report_can_be_given_more_room() -> None:
    failed = outcome("fail", summary="It changed.", mismatches=tuple(mismatch(f"m.{n}") for n in range(9)))

    assert "... and 1 more, use '-vv' to show" in report(Outcomes(items=(failed,)))
    assert "more, use" not in report(Outcomes(items=(failed,)), limit=0)


def test_outcomes_are_found_by_the_name_of_their_check() -> None:
    outcomes = Outcomes(items=(outcome(), outcome("fail", "resume_is_exact")))

    assert outcomes["resume_is_exact"].status == "fail"
    assert [item.check for item in outcomes.failures] == ["resume_is_exact"]
    assert len(outcomes) == 2
    with pytest.raises(KeyError, match="no check 'resume' ran; there are state_is_restored, resume_is_exact"):
        outcomes["resume"]

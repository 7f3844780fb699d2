"""Failures that a project expects: data, strict, with an end."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from zoo_good import averaged_weights, plain_functions

from pytest_ckpt import CheckpointFailure, Outcome, UsageError, check_training_run
from pytest_ckpt.checks import CHECKS
from pytest_ckpt.expectations import Expected, apply_expectation, read_expectations
from pytest_ckpt.faults import FAULTS
from pytest_ckpt.reporting import report

REASON = "weights only, on purpose"
FAILED = Outcome(check="resume_is_exact", status="fail", summary="It differs.", notes=("One note.",))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (REASON, Expected(reason=REASON)),
        ({"reason": REASON}, Expected(reason=REASON)),
        ({"reason": REASON, "until": "2027-01-31"}, Expected(reason=REASON, until=date(2027, 1, 31))),
        ({"reason": REASON, "until": date(2027, 1, 31)}, Expected(reason=REASON, until=date(2027, 1, 31))),
        ({"reason": REASON, "until": None}, Expected(reason=REASON)),
    ],
)
def test_an_expectation_is_a_reason_perhaps_with_a_date(value: Any, expected: Expected) -> None:
    assert read_expectations({"resume_is_exact": value}) == {"resume_is_exact": expected}


def test_no_expectations_are_fine() -> None:
    assert read_expectations(None) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"resume_is_exakt": REASON},
            "expected_failures: No check is called 'resume_is_exakt'. Did you mean 'resume_is_exact'? "
            f"There are: {', '.join(CHECKS)}.",
        ),
        *[
            (
                {"resume_is_exact": value},
                "expected_failures['resume_is_exact'] needs a reason: give a string, or a mapping with 'reason' and, "
                "perhaps, 'until'.",
            )
            for value in ("", {}, {"until": "2027-01-31"}, True, None)
        ],
        (
            {"resume_is_exact": {"reason": REASON, "untill": "2027-01-31"}},
            "expected_failures['resume_is_exact'] takes no 'untill'. There are: reason, until.",
        ),
        *[
            (
                {"resume_is_exact": {"reason": REASON, "until": value}},
                f"expected_failures['resume_is_exact']: until is {value!r}, not a date such as '2027-01-31'.",
            )
            for value in ("soon", 2027, "2027-02-30", datetime(2027, 1, 31))
        ],
    ],
)
def test_an_expectation_that_makes_no_sense(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_expectations(given)

    assert str(caught.value) == message


@pytest.mark.parametrize("until", [None, date.today(), date.max])
def test_an_expected_failure_is_none(until: date | None) -> None:
    outcome = apply_expectation(FAILED, Expected(reason=REASON, until=until))

    assert (outcome.status, outcome.failed) == ("expected failure", False)
    assert outcome.summary == "It differs."
    assert outcome.notes == ("One note.", "Expected: weights only, on purpose.")


def test_an_expectation_ends_with_its_date() -> None:
    outcome = apply_expectation(FAILED, Expected(reason=REASON, until=date(2020, 1, 31)))

    assert (outcome.status, outcome.failed) == ("fail", True)
    assert outcome.notes[-1] == "It was expected to fail until 2020-01-31: weights only, on purpose."


def test_an_unexpected_pass_is_a_failure() -> None:
    passed = Outcome(check="resume_is_exact", status="pass")

    outcome = apply_expectation(passed, Expected(reason=REASON))

    assert (outcome.status, outcome.failed) == ("unexpected pass", True)
    assert outcome.summary == (
        "It passes, though it was expected to fail: weights only, on purpose. Remove it from expected_failures."
    )


@pytest.mark.parametrize("status", ["vacuous", "undecidable", "skipped"])
def test_what_nothing_can_be_said_of_stays_what_it_is(status: Any) -> None:
    outcome = Outcome(check="resume_is_exact", status=status)

    assert apply_expectation(outcome, Expected(reason=REASON)) is outcome


def test_without_an_expectation_nothing_changes() -> None:
    assert apply_expectation(FAILED, None) is FAILED


def test_expected_failures_of_a_run_do_not_raise() -> None:
    expected = {"state_is_restored": REASON, "resume_is_exact": {"reason": REASON, "until": "9999-12-31"}}

    outcomes = check_training_run(FAULTS["forget_optimizer"].inject(averaged_weights), expected_failures=expected)

    assert {o.check for o in outcomes if o.status == "expected failure"} == set(expected)
    passed = sum(outcome.status == "pass" for outcome in outcomes)
    assert report(outcomes).splitlines()[:3] == [
        f"Checkpoint checks of averaged_weights: 2 expected failure, {passed} pass, 4 skipped.",
        "",
        "EXPECTED FAILURE state_is_restored",
    ]


def test_an_unexpected_pass_of_a_run_raises() -> None:
    with pytest.raises(CheckpointFailure) as caught:
        check_training_run(plain_functions, select=["resume_is_exact"], expected_failures={"resume_is_exact": REASON})

    assert str(caught.value).splitlines() == [
        "Checkpoint checks of plain_functions: 1 unexpected pass.",
        "",
        "UNEXPECTED PASS resume_is_exact [torch]",
        "It passes, though it was expected to fail: weights only, on purpose. Remove it from expected_failures.",
    ]

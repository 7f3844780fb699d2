"""The report on a self-test, from injections made by hand."""

from __future__ import annotations

from pytest_ckpt import Injection, SelfTest
from pytest_ckpt.reporting import self_test_report

SEEN = Injection(fault="drop_tensor", status="seen", seen_by=("state_is_restored", "resume_is_exact"))
ALSO_SEEN = Injection(fault="lose_requires_grad", status="seen", seen_by=("traits_are_restored",))
NOT_APPLICABLE = Injection(fault="untie", status="not applicable", reason="No two names of a module are one parameter.")
NOT_JUDGED = Injection(
    fault="keep_random_state", status="not judged", reason="No selected check looks for it; resume_is_exact would."
)
UNSEEN = Injection(
    fault="load_nothing",
    status="unseen",
    reason="load does not find the checkpoint and takes the run for a fresh start. No check fails because of it: "
    "state_is_restored (pass).",
)


def test_a_report_says_what_was_seen_what_was_not_and_what_to_do() -> None:
    result = SelfTest(name="make_run", items=(UNSEEN, NOT_JUDGED, SEEN, NOT_APPLICABLE, ALSO_SEEN))

    assert self_test_report(result).splitlines() == [
        "Checkpoint self-test of make_run: 2 faults seen, 1 does not apply, 1 not judged, 1 unseen.",
        "",
        "fault              | seen by",
        "-------------------|--------",
        "drop_tensor        | state_is_restored, resume_is_exact",
        "lose_requires_grad | traits_are_restored",
        "",
        "Do not apply:",
        "    untie: No two names of a module are one parameter.",
        "",
        "Not judged:",
        "    keep_random_state: No selected check looks for it; resume_is_exact would.",
        "",
        "UNSEEN load_nothing",
        "load does not find the checkpoint and takes the run for a fresh start. No check fails because of it: "
        "state_is_restored (pass).",
        "Train more steps (steps=), save after other steps (at=), give predict=, or name in components= what it "
        "damages.",
    ]


def test_a_report_mentions_what_was_not_judged_only_where_there_is_something() -> None:
    assert self_test_report(SelfTest(items=(SEEN,))).splitlines() == [
        "Checkpoint self-test of the run: 1 fault seen, 0 do not apply, 0 unseen.",
        "",
        "fault       | seen by",
        "------------|--------",
        "drop_tensor | state_is_restored, resume_is_exact",
    ]


def test_a_report_that_saw_nothing_says_what_that_means() -> None:
    assert self_test_report(SelfTest(items=(NOT_JUDGED,))).splitlines() == [
        "Checkpoint self-test of the run: 0 faults seen, 0 do not apply, 1 not judged, 0 unseen.",
        "No fault was seen, so nothing shows that these checks can fail on this run.",
        "",
        "Not judged:",
        "    keep_random_state: No selected check looks for it; resume_is_exact would.",
    ]


def test_where_no_fault_applies_there_is_nothing_to_see() -> None:
    result = SelfTest(items=(NOT_APPLICABLE,))

    assert not result.failed
    assert "nothing shows" not in self_test_report(result)

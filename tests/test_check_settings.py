"""Settings of one check alone, and how ``plan_checks`` goes by them."""

from __future__ import annotations

from typing import Any

import pytest
from zoo_good import plain_functions

from pytest_ckpt import UsageError
from pytest_ckpt.check_settings import CheckSettings
from pytest_ckpt.checks import select_checks
from pytest_ckpt.expectations import Expected
from pytest_ckpt.faults import FAULTS
from pytest_ckpt.running import PlannedCheck, plan_checks, run_planned

EXPECTED = Expected(reason="weights only, on purpose", place="a file")
FULL = CheckSettings(
    place="a file", enabled=False, steps=8, at=(2,), ignore=("rng.*",), formats=("dill",), expected_failure=EXPECTED
)
SOME = ("state_is_restored", "traits_are_restored", "resume_is_exact")


def planned(*, select: Any = SOME, own: dict[str, Any] | None = None, **options: Any) -> list[PlannedCheck]:
    settings = CheckSettings(place="a file", **(own or {}))
    return plan_checks(plain_functions, select=select, per_check={"resume_is_exact": settings}, **options)


def subjects(found: list[PlannedCheck]) -> dict[str, int]:
    """Number the subjects in the order they come in."""
    numbers = {id(subject): number for number, subject in enumerate(dict.fromkeys(item.subject for item in found))}
    return {item.id: numbers[id(item.subject)] for item in found}


def test_what_is_settled_elsewhere_is_left_out() -> None:
    left = FULL.without(["ignore", "formats", "expected_failure", "select", "devices"])

    assert left == CheckSettings(place="a file", enabled=False, steps=8, at=(2,))


@pytest.mark.parametrize("name", ["steps", "at"])
def test_steps_and_at_go_together(name: str) -> None:
    left = FULL.without([name])

    assert left.terms() == {"ignore": ("rng.*",), "formats": ("dill",)}
    assert (left.enabled, left.expected_failure) == (False, EXPECTED)


def test_nothing_settled_changes_nothing() -> None:
    assert FULL.without([]) == FULL
    assert CheckSettings(place="a file").terms() == {}


@pytest.mark.parametrize(
    "own",
    [{}, {"enabled": True}, {"expected_failure": EXPECTED}, {"steps": 6}, {"at": (5, 4, 3, 2, 1, 0)}, {"ignore": ()}],
)
def test_checks_whose_settings_agree_share_what_was_seen(own: dict[str, Any]) -> None:
    assert subjects(planned(own=own)) == dict.fromkeys(SOME, 0)


@pytest.mark.parametrize("own", [{"steps": 5}, {"at": (1,)}, {"ignore": ("rng.*",)}])
def test_a_check_whose_settings_differ_trains_for_itself(own: dict[str, Any]) -> None:
    assert subjects(planned(own=own)) == {"state_is_restored": 0, "traits_are_restored": 0, "resume_is_exact": 1}


def test_a_check_of_its_own_shares_the_formats_it_has_in_common() -> None:
    found = planned(own={"formats": ("torch", "dill")}, formats=("pickle", "torch"))

    assert subjects(found) == {
        "state_is_restored-pickle": 0,
        "traits_are_restored-pickle": 0,
        "state_is_restored-torch": 1,
        "traits_are_restored-torch": 1,
        "resume_is_exact-torch": 1,
        "resume_is_exact-dill": 2,
    }


def test_its_settings_reach_the_check() -> None:
    make_run = FAULTS["forget_optimizer"].inject(plain_functions)
    own = CheckSettings(place="a file", steps=3, at=(2,), expected_failure=EXPECTED)

    found = run_planned(plan_checks(make_run, select=SOME, steps=4, per_check={"resume_is_exact": own}))

    assert found["state_is_restored"].status == "fail"
    assert found["state_is_restored"].details[0] == "State was lost, too, when saved after 2 and 3 steps."
    resumed = found["resume_is_exact"]
    assert (resumed.status, resumed.notes[-1]) == ("expected failure", "Expected: weights only, on purpose.")
    assert resumed.summary == (
        "The resumed run ends in another state than the run that never stopped, saved after 2 steps."
    )


def test_an_expectation_of_the_call_wins() -> None:
    found = planned(own={"expected_failure": EXPECTED}, expected_failures={"resume_is_exact": "another reason"})

    assert [item.expected for item in found if item.expected is not None] == [Expected(reason="another reason")]


def test_an_unexpected_pass_says_where_the_expectation_is() -> None:
    (outcome,) = run_planned(planned(select="resume_is_exact", own={"expected_failure": EXPECTED}))

    assert outcome.summary == (
        "It passes, though it was expected to fail: weights only, on purpose. Remove it from a file."
    )


def test_steps_that_do_not_go_with_the_others_say_where_they_are() -> None:
    with pytest.raises(UsageError) as caught:
        planned(own={"steps": 2}, at=[1, 3])

    assert str(caught.value) == (
        "a file: at=[1, 3] with steps=2: the steps to save after and resume from lie between 0 and 1, so that at "
        "least one step is left to train."
    )


def test_options_that_can_be_read_once_hold_for_every_check() -> None:
    found = planned(own={"ignore": ("rng.*",)}, at=iter([1, 2]), formats=iter(["torch", "dill"]))

    assert [item.id for item in found] == [f"{name}-{format}" for format in ("torch", "dill") for name in SOME]


def names(select: list[str], **enabled: bool) -> set[str]:
    return {item.name for item in select_checks(select, enabled)}


@pytest.mark.parametrize("word", ["default", "all", "resume", "resume_*", "*"])
def test_a_check_that_is_not_enabled_is_in_no_group_and_matches_no_glob(word: str) -> None:
    assert "resume_is_exact" in names([word])
    assert names([word], resume_is_exact=False) == names([word]) - {"resume_is_exact"}


def test_a_check_that_is_not_enabled_runs_by_its_name() -> None:
    assert names(["resume_is_exact", "fidelity"], resume_is_exact=False) == {"resume_is_exact", *names(["fidelity"])}


def test_an_opt_in_check_that_is_enabled_is_one_of_the_default_checks() -> None:
    promise = "every_component_is_needed"

    assert names(["default"], **{promise: True}) == {promise, *names(["default"])}
    assert promise not in names(["default"])
    assert promise in names(["economy"])

"""Which checks a word selects, in which order."""

from __future__ import annotations

import pytest

from pytest_ckpt import UsageError
from pytest_ckpt.checks import CHECKS, DEFAULT_GROUPS, GROUPS, select_checks


def names(*select: str) -> list[str]:
    return [check.name for check in select_checks(select)]


def test_a_name_selects_its_check() -> None:
    assert names("resume_is_exact") == ["resume_is_exact"]
    assert [check.name for check in select_checks("resume_is_exact")] == ["resume_is_exact"], "a single word, too"


def test_a_group_selects_its_checks() -> None:
    assert set(names("resume")) == {name for name, check in CHECKS.items() if check.group == "resume"}
    assert "resume_is_exact" in names("resume")


def test_a_group_without_checks_selects_none() -> None:
    empty = [group for group in GROUPS if group not in {check.group for check in CHECKS.values()}]

    assert [names(group) for group in empty] == [[]] * len(empty)


@pytest.mark.usefixtures("new_processes")
def test_default_leaves_out_what_a_project_has_to_choose() -> None:
    assert set(names("default")) == {name for name, check in CHECKS.items() if check.group in DEFAULT_GROUPS}
    assert set(names("all")) == set(CHECKS) > set(names("default"))


def test_a_glob_selects_what_it_matches() -> None:
    assert set(names("*_restored")) == {"state_is_restored", "traits_are_restored", "outputs_are_restored"}


def test_checks_come_in_the_order_of_their_groups_and_once() -> None:
    chosen = names("all", "economy", "resume_is_exact", "state_is_restored")
    positions = [GROUPS.index(CHECKS[name].group) for name in chosen]

    assert positions == sorted(positions)
    assert len(chosen) == len(set(chosen)) == len(CHECKS)
    assert names("resume_is_exact", "state_is_restored") == ["state_is_restored", "resume_is_exact"]


@pytest.mark.parametrize(
    ("word", "hint"),
    [("state_is_restord", "Did you mean 'state_is_restored'? "), ("resumes", "Did you mean 'resume'? "), ("xyz", "")],
)
def test_a_word_that_selects_nothing_is_refused(word: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        select_checks(["default", word])

    groups = dict.fromkeys(group for group in GROUPS if any(check.group == group for check in CHECKS.values()))
    known = ", ".join(("default", "all", *groups, *CHECKS))
    assert str(caught.value) == f"No check is called {word!r}. {hint}There are: {known}."

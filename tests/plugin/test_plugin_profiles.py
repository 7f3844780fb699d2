"""The profiles of Hypothesis that this package brings."""

from __future__ import annotations

import pytest

from pytest_ckpt.strategies import QUICK, THOROUGH

SHOW = """
    from hypothesis import settings

    def test_it():
        print("examples:", settings.default.max_examples, settings.default.deadline)
"""


@pytest.mark.parametrize(("name", "profile"), [("ckpt-quick", QUICK), ("ckpt-thorough", THOROUGH)])
def test_a_profile_is_known_when_it_is_asked_for(pytester: pytest.Pytester, name: str, profile: object) -> None:
    pytester.makepyfile(SHOW)

    result = pytester.runpytest_subprocess("-s", "-p", "no:randomly", f"--hypothesis-profile={name}")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"*examples: {profile.max_examples} None*"])  # type: ignore[attr-defined]


def test_other_profiles_are_left_to_hypothesis(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"{SHOW}\n        import sys\n        assert 'torch' not in sys.modules")

    result = pytester.runpytest_subprocess("-s", "-p", "no:randomly", "--hypothesis-profile=default")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*examples: 100 *"])

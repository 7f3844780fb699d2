"""Paths are spelled as torch spells them, and globs choose among them."""

from __future__ import annotations

import pytest

from pytest_ckpt.paths import Bracketed, Keys, matches_any, spell


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ((), ""),
        (("model", "layer.0.weight"), "model.layer.0.weight"),
        (("optimizer", "state", Bracketed("fc.weight"), "exp_avg"), "optimizer.state[fc.weight].exp_avg"),
        (("optimizer", "param_groups", 0, "betas", 1), "optimizer.param_groups[0].betas[1]"),
        ((0, "a"), "[0].a"),
        ((True, None, ("a", 1)), "[True][None][('a', 1)]"),
    ],
)
def test_spelling(keys: Keys, path: str) -> None:
    assert spell(keys) == path


PATH = "optimizer.state[fc.weight].exp_avg"


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        (PATH, True),
        ("optimizer", True),
        ("optimizer.state", True),
        ("optimizer.state[fc.weight]", True),
        ("optimizer.state[fc.*]", True),
        ("*.state", True),
        ("optimizer.s?", False),
        ("optimizer.state[fc.*]*", True),
        ("optimizer.*", True),
        ("*.exp_avg", True),
        ("*[fc.weight]*", True),
        ("optimizer.state[fc.weigh?].exp_avg", True),
        ("optim", False),
        ("optimizer.stat", False),
        ("Optimizer", False),
        ("optimizer.state[abc]", False),
        ("exp_avg", False),
    ],
)
def test_a_glob_means_a_path_and_all_below_it(glob: str, expected: bool) -> None:
    assert matches_any(PATH, ("unrelated", glob)) is expected


def test_no_glob_matches_nothing() -> None:
    assert not matches_any(PATH, ())

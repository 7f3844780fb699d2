"""What ``payloads``, ``state_dicts`` and the strategies for values draw: all kinds, replayable, without a trace."""

from __future__ import annotations

import datetime
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from strategy_draws import discarded, many

from pytest_ckpt import compare
from pytest_ckpt.formats import get_format
from pytest_ckpt.strategies import (
    PLAIN_CONTAINERS,
    STRIDED_LAYOUTS,
    module_state_dicts,
    numpy_values,
    objects,
    optimizer_state_dicts,
    payloads,
    plain_values,
    random_states,
    state_dicts,
    tensors,
)

# Made in the test: plugins show what a test is called with, and a strategy is shown with all that is in it.
ALL = [plain_values, objects, numpy_values, random_states, state_dicts, payloads]
QUIET = pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental:UserWarning")


def test_every_kind_of_value_turns_up() -> None:
    assert {type(value) for value in many(plain_values(), 200)} == {type(None), bool, int, float, complex, str, bytes}
    assert max(value.bit_length() for value in many(plain_values(), 200) if type(value) is int) > 3000
    assert {datetime.datetime, Fraction, range, slice, bytearray} <= {type(value) for value in many(objects(), 300)}
    arrays = [value for value in many(numpy_values(), 300) if isinstance(value, np.ndarray)]
    assert len({array.dtype for array in arrays}) > 14
    assert not all(array.dtype.isnative for array in arrays)
    assert {type(state) for state in many(random_states(), 60)} == {torch.Tensor, tuple, dict}


def test_every_kind_of_state_dict_turns_up() -> None:
    of_modules, of_optimizers = many(module_state_dicts(), 150), many(optimizer_state_dicts(), 80)

    assert {len(state) for state in of_modules} >= {0, 1, 2, 3, 4}
    assert all("" in vars(state)["_metadata"] for state in of_modules)
    assert any(name.endswith("_extra_state") for state in of_modules for name in state)
    assert any(len({id(value) for value in state.values()}) < len(state) for state in of_modules)
    assert {len(state["param_groups"]) for state in of_optimizers} == {1, 2}
    assert {frozenset(item) for state in of_optimizers for item in state["state"].values()} == {
        frozenset({"momentum_buffer"}),
        frozenset({"step", "momentum_buffer"}),
        frozenset({"step", "exp_avg"}),
        frozenset({"step", "exp_avg", "exp_avg_sq"}),
    }


def types_in(value: Any) -> set[type]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple | deque) else ()
    return {type(value)}.union(*map(types_in, inside))


def test_every_container_turns_up_and_no_other_than_asked_for() -> None:
    names = {kind.__name__ for payload in many(payloads(plain_values()), 200) for kind in types_in(payload)}
    assert {"OrderedDict", "Pair", "Settings", "Namespace", "SimpleNamespace", "deque", "set", "frozenset"} <= names

    plain = payloads(plain_values(), containers=PLAIN_CONTAINERS)
    kinds = {kind for payload in many(plain, 100) for kind in types_in(payload)}
    assert kinds == {dict, list, tuple, OrderedDict, type(None), bool, int, float, complex, str, bytes}


def test_a_format_keeps_what_it_is_restricted_to() -> None:
    wanted = payloads(tensors(st.just(torch.float32), layouts=STRIDED_LAYOUTS), containers=["dict", "list"])

    assert {get_format("torch").refuses(payload) for payload in many(wanted, 40)} == {None}


@QUIET
@pytest.mark.parametrize("make", ALL)
def test_a_replay_gives_the_same_bits_and_leaves_random_states_alone(
    make: Callable[[], st.SearchStrategy[Any]],
) -> None:
    strategy = make()
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seen: list[bool] = []

    @st.composite
    def watched(draw: st.DrawFn) -> None:
        # Hypothesis puts states of its own in the place of those of Python and numpy for each example.
        inside = random.getstate(), np.random.get_state(), torch.get_rng_state()
        draw(strategy)
        seen.append(not compare(inside, (random.getstate(), np.random.get_state(), torch.get_rng_state())))

    many(watched(), 20)

    assert all(seen)
    assert not compare(before, (random.getstate(), np.random.get_state(), torch.get_rng_state()))
    assert not compare(many(strategy, 25), many(strategy, 25))


@pytest.mark.parametrize("make", [*ALL, tensors])
def test_few_draws_are_discarded(make: Callable[[], st.SearchStrategy[Any]]) -> None:
    assert discarded(make(), 200) < 0.1


def test_what_cannot_be_drawn_is_told() -> None:
    with pytest.raises(InvalidArgument, match=r"'tree' is no container to draw\. Give some of 'dict', 'list'"):
        payloads(containers=["dict", "tree"])

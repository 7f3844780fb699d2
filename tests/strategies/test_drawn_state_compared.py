"""``compare`` over whatever is drawn: put together anew it is the same, and one change in it is seen."""

from __future__ import annotations

from typing import Any

import pytest
from drawn_mutations import mutated, rebuilt
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ckpt.comparison import compare, differ
from pytest_ckpt.state import freeze
from pytest_ckpt.strategies import payloads, state_dicts

pytestmark = pytest.mark.filterwarnings(
    "ignore:TypedStorage is deprecated:UserWarning",  # torch's own code for quantized tensors
    "ignore:torch.quantize_per_tensor:UserWarning",
    "ignore:ComplexHalf support is experimental:UserWarning",
    "ignore:Sparse .* tensor support is in beta:UserWarning",
)
SETTINGS = settings(max_examples=150, deadline=None)

STATES = payloads() | state_dicts().map(lambda state: {"state": state})


@SETTINGS
@given(STATES)
def test_what_is_put_together_anew_is_the_same(state: dict[str, Any]) -> None:
    again = rebuilt(state)

    assert list(compare(state, again)) == []
    assert not differ(state, again)
    assert list(compare(freeze(state), freeze(again))) == []


@SETTINGS
@given(st.data(), STATES)
def test_one_change_is_seen_from_either_side(data: st.DataObject, state: dict[str, Any]) -> None:
    other = data.draw(mutated(state))

    assert compare(state, other)
    assert compare(other, state)
    assert differ(state, other)
    if compare(state, other, traits=False):  # a frozen copy is detached
        assert differ(freeze(state), freeze(other))

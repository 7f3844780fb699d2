"""The smallest set of state that has to be restored, as a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.diagnosis.blame import smallest
from pytest_ckpt.diagnosis.suspects import Suspect


def suspect(name: int) -> Suspect:
    mismatch = Mismatch(path=str(name), kind="value", expected="1", actual="2")
    return Suspect(path=str(name), mismatch=mismatch, move=lambda saved, loaded: None)


@st.composite
def explanations(draw: st.DrawFn) -> tuple[list[Suspect], list[frozenset[str]]]:
    """Draw suspects, and the sets of them of which any one makes the runs agree."""
    suspects = [suspect(number) for number in range(draw(st.integers(1, 12)))]
    names = st.sampled_from([item.path for item in suspects])
    return suspects, draw(st.lists(st.frozensets(names, min_size=1, max_size=4), min_size=1, max_size=3))


def agrees_with(sets: list[frozenset[str]], chosen: Sequence[Suspect]) -> bool:
    return any(one <= {item.path for item in chosen} for one in sets)


@given(explanations())
def test_what_is_returned_suffices_and_nothing_in_it_can_be_spared(
    case: tuple[list[Suspect], list[frozenset[str]]],
) -> None:
    suspects, sets = case

    found = smallest(suspects, lambda chosen: agrees_with(sets, chosen))

    assert agrees_with(sets, found)
    assert not any(agrees_with(sets, [item for item in found if item is not spared]) for spared in found)


@given(explanations())
def test_the_order_of_the_suspects_is_kept(case: tuple[list[Suspect], list[frozenset[str]]]) -> None:
    suspects, sets = case

    found = smallest(suspects, lambda chosen: agrees_with(sets, chosen))

    positions = [suspects.index(item) for item in found]
    assert all(one < other for one, other in pairwise(positions))


@given(st.integers(2, 64), st.data())
def test_one_culprit_among_many_takes_few_trials(count: int, data: st.DataObject) -> None:
    suspects = [suspect(number) for number in range(count)]
    culprit = data.draw(st.sampled_from(suspects))
    trials = 0

    def works(chosen: Sequence[Suspect]) -> bool:
        nonlocal trials
        trials += 1
        return culprit in chosen

    assert smallest(suspects, works) == [culprit]
    assert trials <= 2 * count.bit_length()


@given(st.integers(1, 12))
def test_where_all_are_needed_all_are_returned(count: int) -> None:
    suspects = [suspect(number) for number in range(count)]

    assert smallest(suspects, lambda chosen: len(chosen) == count) == suspects


@given(st.integers(2, 12), st.data())
def test_of_two_that_do_the_earlier_is_kept(count: int, data: st.DataObject) -> None:
    """Components come before what is hidden, and what is seen before what is not."""
    suspects = [suspect(number) for number in range(count)]
    one, other = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=2, max_size=2)))

    assert smallest(suspects, lambda chosen: suspects[one] in chosen or suspects[other] in chosen) == [suspects[one]]

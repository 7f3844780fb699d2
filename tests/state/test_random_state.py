"""The random state of python, numpy and torch as one mapping."""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from pytest_ckpt.comparison import compare
from pytest_ckpt.state import get_random_state, seed_everything, set_random_state
from pytest_ckpt.state.random_state import keep_random_state


@pytest.fixture(autouse=True)
def _random_state_as_before() -> Iterator[None]:
    before = get_random_state()
    yield
    set_random_state(before)


DRAWS: dict[str, Callable[[], float]] = {
    "python": random.random,
    "python.gauss": lambda: random.gauss(0, 1),
    "numpy": lambda: float(np.random.random()),
    "numpy.gauss": lambda: float(np.random.standard_normal()),
    "torch": lambda: torch.rand(()).item(),
    "torch.normal": lambda: torch.randn(()).item(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_drawn_after_restoring_is_drawn_again(name: str) -> None:
    draw = DRAWS[name]
    seed_everything(1)
    draw()  # gaussians come in pairs: the second one waits in the state
    state = get_random_state()
    drawn = [draw() for _ in range(3)]

    set_random_state(state)

    assert [draw() for _ in range(3)] == drawn
    assert len(set(drawn)) == 3


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_kept_can_be_put_back_again_and_again(name: str) -> None:
    draw = DRAWS[name]
    seed_everything(1)
    draw()
    put_back = keep_random_state()
    drawn = [draw() for _ in range(3)]

    for _ in range(2):
        put_back()
        assert [draw() for _ in range(3)] == drawn


@pytest.mark.parametrize("name", DRAWS)
def test_drawing_changes_its_own_part_only(name: str) -> None:
    before = get_random_state()

    DRAWS[name]()

    changed = {m.path.split(".")[0] for m in compare(before, get_random_state())}
    assert changed == {name.split(".")[0]}


@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_decides_everything(name: str) -> None:
    def first(seed: int) -> float:
        seed_everything(seed)
        return DRAWS[name]()

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_parts_that_are_absent_are_left_alone() -> None:
    seed_everything(1)
    state = get_random_state()
    seed_everything(2)
    other = get_random_state()

    set_random_state({"torch": state["torch"]})

    assert not compare({**other, "torch": state["torch"]}, get_random_state())


def test_it_can_be_read_with_weights_only() -> None:
    state = get_random_state()
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)

    loaded = torch.load(file, weights_only=True)
    seed_everything(5)
    set_random_state(loaded)

    assert not compare(state, get_random_state())


def test_the_default_device_does_not_matter() -> None:
    state = get_random_state()
    drawn = random.random()

    with torch.device("meta"):
        again = get_random_state()
        set_random_state(state)
        assert random.random() == drawn

    assert again["python"]["internal"].device.type == "cpu"


def test_reading_does_not_draw() -> None:
    first: Any = get_random_state()

    assert not compare(first, get_random_state())


def test_numpys_words_are_whole_numbers() -> None:
    assert get_random_state()["numpy"]["keys"].dtype is torch.int64


def test_every_accelerator_has_a_state_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up ones: what is read under a name is written back to the accelerator of that name."""
    cuda, mps = {0: torch.tensor([1]), 1: torch.tensor([2])}, [torch.tensor([3])]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cuda))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda index: cuda[index])
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: cuda.update({torch.device(device).index: state})
    )
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: mps[-1])
    monkeypatch.setattr(torch.mps, "set_rng_state", mps.append)

    state = get_random_state()
    assert [state[name].item() for name in ("cuda:0", "cuda:1", "mps")] == [1, 2, 3]

    set_random_state({"cuda:1": torch.tensor([5]), "mps": torch.tensor([6])})
    assert ([state.item() for state in cuda.values()], mps[-1].item()) == ([1, 5], 6)


def test_a_seed_reaches_accelerators(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch, "manual_seed", seeds.append)

    seed_everything(3)

    assert seeds == [3]


def test_numpy_is_not_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numpy")

    seed_everything(1)

    assert list(get_random_state()) == ["python", "torch"]
    assert "numpy" not in sys.modules

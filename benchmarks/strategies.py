"""Drawing modules, optimizers and whole runs: against building the same by hand, and against hypothesis-torch."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import nn

from benchmarks.measuring import Spread, Work, one_after_another
from benchmarks.table import Row
from pytest_ckpt.strategies import modules, optimizers, training_runs

__all__ = ["measure"]

_EXAMPLES = 100
_SETTINGS = settings(
    max_examples=_EXAMPLES,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# The least that Hypothesis does for one example: it draws one integer, and the test does nothing.
_LEAST = st.integers(0, 2**32)
# Not among the installed packages: wherever hypothesis-torch is one, Hypothesis loads it, and torch with it.
_RIVALS = Path(__file__).parents[1] / ".rivals"
_INSTALL = "pip install --no-deps --target .rivals hypothesis-torch"


def measure(rounds: int) -> Iterator[Row]:
    torch.set_num_threads(1)
    yield from _runs_against_building(rounds)
    yield _optimizers_against_the_least(rounds)
    yield from _against_hypothesis_torch(rounds)


def _runs_against_building(rounds: int) -> Iterator[Row]:
    """Compare examples that are drawn and built with the same ones built alone."""
    drawn: list[Any] = []
    _examples(training_runs(), drawn.append)()
    times = one_after_another(
        {
            "drawn": _examples(training_runs(), lambda make_run: make_run()),
            "built": lambda: [make_run() for make_run in drawn],
            "least": _examples(_LEAST),
        },
        rounds=rounds,
    )
    yield Row(
        benchmark="strategies",
        measured="training_runs(), drawn and built / built",
        spread=Spread.ratio(times["drawn"], times["built"]),
        limit=2.0,
    )
    ours = [drawn - least for drawn, least in zip(times["drawn"], times["least"], strict=True)]
    yield Row(
        benchmark="strategies",
        measured="the same, without the least that Hypothesis does for an example",
        spread=Spread.ratio(ours, times["built"]),
    )


def _optimizers_against_the_least(rounds: int) -> Row:
    times = one_after_another({"ours": _examples(optimizers(_parameters())), "least": _examples(_LEAST)}, rounds=rounds)
    return Row(
        benchmark="strategies",
        measured="optimizers() / an example's least",
        spread=Spread.ratio(times["ours"], times["least"]),
    )


def _against_hypothesis_torch(rounds: int) -> Iterator[Row]:
    ours: dict[str, Callable[[], SearchStrategy[Any]]] = {
        "a module": modules,
        "an optimizer of given parameters": lambda: optimizers(_parameters()),
    }
    sys.path.append(str(_RIVALS))
    try:
        rival = importlib.import_module("hypothesis_torch")
    except ImportError:
        for name in ours:
            yield Row(benchmark="strategies", measured=f"{name} / hypothesis-torch", skipped=_INSTALL)
        return
    theirs: dict[str, Callable[[Any], SearchStrategy[Any]]] = {
        "a module": _their_modules,
        "an optimizer of given parameters": _their_optimizers,
    }
    for name, strategy in ours.items():
        times = one_after_another(
            {"ours": _examples(strategy()), "theirs": _examples(theirs[name](rival))}, rounds=rounds
        )
        yield Row(
            benchmark="strategies",
            measured=f"{name} / hypothesis-torch",
            spread=Spread.ratio(times["ours"], times["theirs"]),
            limit=1.0,
        )


def _their_modules(rival: Any) -> SearchStrategy[nn.Module]:
    """Return networks of up to three linear layers and activations, of the sizes that ours have."""
    strategy: SearchStrategy[nn.Module] = rival.linear_network_strategy(
        input_shape=st.tuples(st.integers(2, 4), st.integers(2, 8)),
        output_shape=st.tuples(st.integers(2, 4), st.integers(2, 8)),
        activation_layer=rival.same_shape_activation_strategy(),
        hidden_layer_size=st.integers(2, 8),
        num_hidden_layers=st.integers(1, 2),
        device=torch.device("cpu"),
    )
    return strategy


def _their_optimizers(rival: Any) -> SearchStrategy[Any]:
    """Return optimizers of the classes that ours are of; torch refuses some of the arguments."""
    parameters = _parameters()

    def build(make: Callable[..., Any]) -> Any:
        try:
            return make(parameters)
        except (RuntimeError, ValueError, TypeError):
            return None

    strategy: SearchStrategy[Any] = rival.optimizer_strategy(st.sampled_from([torch.optim.SGD, torch.optim.AdamW]))
    return strategy.map(build)


def _parameters() -> list[nn.Parameter]:
    return list(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).parameters())


def _examples(strategy: SearchStrategy[Any], use: Callable[[Any], object] = id) -> Work:
    """Return what draws a hundred examples, the same each time, and uses each."""

    @seed(0)
    @_SETTINGS
    @given(strategy)
    def test(value: Any) -> None:
        use(value)

    work: Work = test
    return work

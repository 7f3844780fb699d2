"""How a run's functions want to be called, found out by calling them once: for the program that is printed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_ckpt.runs import build
from pytest_ckpt.runs.background import BackgroundSaves
from pytest_ckpt.trips import FIRST_SEED, Plan, fresh_seed, new_path, workspace

__all__ = ["Calls", "try_calls"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """How the functions are called.

    Attributes:
        numbered: Whether ``step`` takes the number of the step.
        save_takes_text: Whether ``save`` takes the path as a string only.
        load_takes_text: Whether ``load`` does.
        threads: Whether saving starts threads.
    """

    numbered: bool = True
    save_takes_text: bool = False
    load_takes_text: bool = False
    threads: bool = False


def try_calls(plan: Plan) -> Calls:
    """Make a run, save it and load that into another one. What raises says nothing here."""
    with workspace() as directory:
        run, background = build(plan.make_run, FIRST_SEED), BackgroundSaves()
        definition = run.definition
        path = new_path(directory, "once", plan.storage)
        save, load = _Watched(definition.save), _Watched(definition.load)
        try:
            run.train(plan.at[-1])
            with background.watching():
                save.call(path)
            threads = background.busy
            background.wait(directory)
            load = _Watched(build(plan.make_run, fresh_seed(0)).definition.load)
            load.call(path)
        except Exception:
            threads = background.busy
            background.wait(directory)
    return Calls(
        numbered=_takes_a_number(definition.step),
        save_takes_text=save.takes_text,
        load_takes_text=load.takes_text,
        threads=threads,
    )


class _Watched:
    def __init__(self, function: Callable[[Any], object] | None) -> None:
        self._function, self.takes_text = function, False

    def call(self, path: Path) -> None:
        if self._function is None:
            return
        try:
            self._function(path)
        except (TypeError, AttributeError) as error:
            if type(path).__name__ not in str(error):
                raise
            self._function(str(path))
            self.takes_text = True


def _takes_a_number(step: Callable[..., object] | None) -> bool:
    if step is None:
        return True
    try:
        inspect.signature(step).bind(0)
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        pass
    return True

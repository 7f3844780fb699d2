"""``TrainingRun``: the run under test, as its author describes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pytest_ckpt.errors import UsageError
from pytest_ckpt.runs.discovery import stateful_attributes

__all__ = ["MakeRun", "TrainingRun"]

MakeRun: TypeAlias = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One training run: what it is made of, and how it trains, saves and loads.

    Attributes:
        components: Name to stateful object (``state_dict()`` and ``load_state_dict()``), or a function
            without arguments that returns such a mapping; a function is called again after every load,
            for programs whose ``load`` replaces the model or the optimizer.
        step: ``step(i)`` trains one step and returns a loss, or any nested structure of numbers, strings
            and tensors, or ``None``. ``i`` counts from 0 at the run's beginning, so a run that is resumed
            after ``k`` steps is called with ``i = k``. Without it only what needs no training is checked.
        save: The project's own ``save(path)``. ``path`` is a ``pathlib.Path`` that does not exist yet, in an
            existing empty directory; it may become a file or a directory.
        load: The project's own ``load(path)``. Without both, the components' state dicts and the random
            state are written in every format asked for.
        predict: A function without arguments whose output must survive the round trip. It is called
            with every module component in eval mode, without gradients.
        device: The device the run trains on, for the report.
        name: What to call the run in reports.
    """

    components: Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    step: Callable[[int], Any] | None = None
    save: Callable[[Path], object] | None = None
    load: Callable[[Path], object] | None = None
    predict: Callable[[], Any] | None = None
    device: Any = None
    name: str = ""

    def __post_init__(self) -> None:
        if (self.save is None) != (self.load is None):
            given, absent = ("save", "load") if self.load is None else ("load", "save")
            raise UsageError(f"TrainingRun has {given}= but no {absent}=. Give both, or neither.")
        if not callable(self.components) and not isinstance(self.components, Mapping):
            raise UsageError(
                f"TrainingRun(components=...) is a {type(self.components).__qualname__}. It must be a mapping "
                "of name to stateful object, or a function that returns one."
            )
        for field in ("step", "save", "load", "predict"):
            if (value := getattr(self, field)) is not None and not callable(value):
                raise UsageError(f"TrainingRun({field}=...) is a {type(value).__qualname__}, not a function.")

    @classmethod
    def from_object(
        cls,
        obj: Any,
        *,
        step: Callable[[int], Any] | None = None,
        save: Callable[[Path], object] | None = None,
        load: Callable[[Path], object] | None = None,
        predict: Callable[[], Any] | None = None,
        name: str = "",
    ) -> TrainingRun:
        """Describe a trainer, a workspace or a dataclass by the stateful objects in its attributes.

        The attributes are read again after every load, so an object may replace them.

        Raises:
            UsageError: If no attribute holds a stateful object.
        """
        stateful_attributes(obj)
        return cls(
            components=lambda: stateful_attributes(obj),
            step=step,
            save=save,
            load=load,
            predict=predict,
            name=name or type(obj).__qualname__,
        )

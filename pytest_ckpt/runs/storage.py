"""How a run gets to disk and back: the project's own functions, or a format of this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_ckpt.errors import UsageError
from pytest_ckpt.formats import Format, get_format
from pytest_ckpt.runs.live import LiveRun
from pytest_ckpt.runs.restoring import load_order, restore_component
from pytest_ckpt.state.freezing import generator_state
from pytest_ckpt.state.random_state import get_random_state, set_random_state

__all__ = ["OWN", "RANDOM_STATE", "Storage", "format_storage", "no_storage", "own_storage", "payload_of", "storage_for"]

OWN = "own"
_DEFAULT_FORMAT = "torch"
RANDOM_STATE = "pytest_ckpt_random_state"  # no component is called that


@dataclass(frozen=True, kw_only=True, slots=True)
class Storage:
    """A way to disk and back.

    Attributes:
        name: The format's name, or ``own`` for the project's own functions.
        suffix: The file name's end.
        save: ``save(run, path)``.
        load: ``load(run, path)``; returns what the project's own function returns.
        refuses: The reason why a run cannot be kept this way, or ``None``.
        form: The format behind it; ``None`` for the project's own functions.
    """

    name: str
    suffix: str
    save: Callable[[LiveRun, Path], None]
    load: Callable[[LiveRun, Path], object]
    refuses: Callable[[LiveRun], str | None]
    form: Format | None = None


def storage_for(run: LiveRun, name: str) -> Storage:
    """Return the storage of that name; without a name the run's own, where it has one, else torch's.

    Raises:
        UsageError: If there is no such format, or the run has no ``save`` and ``load`` of its own.
        MissingDependencyError: If the format's package is not installed.
    """
    name = name or (OWN if run.definition.save is not None else _DEFAULT_FORMAT)
    if name != OWN:
        return format_storage(get_format(name))
    if run.definition.save is None:
        raise UsageError("The format 'own' is the run's own save and load, but it has none.")
    return own_storage()


def no_storage() -> Storage:
    """Return a storage that neither saves nor loads."""
    return Storage(
        name="none",
        suffix="",
        save=lambda run, path: None,
        load=lambda run, path: None,
        refuses=lambda run: None,
    )


def own_storage() -> Storage:
    """Return the project's own ``save`` and ``load``."""
    return Storage(name=OWN, suffix=".pt", save=LiveRun.save, load=LiveRun.load, refuses=lambda run: None)


def format_storage(form: Format) -> Storage:
    """Return the storage that writes state dicts and the random state in a format.

    A format for whole objects writes the components themselves; what it loads is read through their
    state dicts into the fresh run.
    """

    def save(run: LiveRun, path: Path) -> None:
        form.save(payload_of(run, whole=form.whole), path)

    def load(run: LiveRun, path: Path) -> None:
        payload = form.load(path)
        components = run.components
        for name in load_order(components):
            state = _state_of(payload[name]) if form.whole else payload[name]
            restore_component(name, components[name], state)
        set_random_state(payload.get(RANDOM_STATE, {}))

    def refuses(run: LiveRun) -> str | None:
        return form.refuses(payload_of(run, whole=form.whole))

    return Storage(name=form.name, suffix=form.suffix, save=save, load=load, refuses=refuses, form=form)


def payload_of(run: LiveRun, *, whole: bool = False) -> dict[str, Any]:
    """Return what a format writes of a run: its components' state dicts and, if it trains, the random state."""
    components = run.components
    payload = components if whole else {name: _state_of(item) for name, item in components.items()}
    return payload if run.definition.step is None else {**payload, RANDOM_STATE: get_random_state()}


def _state_of(component: Any) -> Any:
    if callable(getattr(component, "state_dict", None)):
        return component.state_dict()
    state = generator_state(component)
    return component if state is None else state

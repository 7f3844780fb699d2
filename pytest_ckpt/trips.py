"""What the spine is told and what it finds, as data; and where it works."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.errors import CkptError
from pytest_ckpt.runs import LiveRun, MakeRun, Record, isolated
from pytest_ckpt.runs.shared_state import SharedState
from pytest_ckpt.runs.storage import Storage
from pytest_ckpt.state import StateTree, get_random_state, set_random_state
from pytest_ckpt.state.belonging import LIBRARY_FOLDERS

__all__ = [
    "FIRST_SEED",
    "CallFailed",
    "Divergence",
    "Interruption",
    "Plan",
    "SavedRun",
    "Trajectory",
    "Trip",
    "count_of_steps",
    "fresh_seed",
    "new_path",
    "save_stage",
    "stage",
    "workspace",
]

FIRST_SEED = 20_260_101


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        make_run: Makes a fresh run.
        steps: Training steps of the uninterrupted run.
        at: The steps to save after and to resume from, ascending.
        storage: How the run gets to disk and back.
        ignore: Globs of paths that are carried over from the saved run instead of being loaded.
        shared: What the runs share through globals.
    """

    make_run: MakeRun
    steps: int
    at: tuple[int, ...]
    storage: Storage
    ignore: tuple[str, ...] = ()
    shared: SharedState | None = None

    def save(self, run: LiveRun, path: Path) -> None:
        """Save a run."""
        with self.shared.sparing_stores() if self.shared is not None else nullcontext():
            self.storage.save(run, path)

    def load(self, run: LiveRun, path: Path) -> None:
        """Load into a run."""
        with self.shared.sparing_stores(empty=True) if self.shared is not None else nullcontext():
            self.storage.load(run, path)

    def ambient(self) -> dict[str, Any]:
        """Return frozen copies of the global random state and of what the runs share, by path."""
        shared = self.shared.read() if self.shared is not None else {}
        return {**shared, **{f"rng.{name}": state for name, state in get_random_state().items()}}

    def set_ambient(self, values: dict[str, Any]) -> None:
        """Put values of :meth:`ambient` back."""
        set_random_state({k.removeprefix("rng."): v for k, v in values.items() if k.startswith("rng.")})
        if self.shared is not None:
            self.shared.write({k: v for k, v in values.items() if not k.startswith("rng.")})


@dataclass(frozen=True, kw_only=True, slots=True)
class Trajectory:
    """What a run did: a record per training step, from ``start`` on, and its state at the end."""

    start: int
    records: list[Record]
    end: StateTree


@dataclass(frozen=True, kw_only=True, slots=True)
class Divergence:
    """The first training step whose record is not that of the uninterrupted run."""

    step: int
    mismatches: tuple[Mismatch, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trip:
    """One checkpoint, loaded into a fresh run that trained on to the end. Strings and numbers only.

    Attributes:
        at: Training steps before saving.
        restored: How the loaded state differs from the saved one.
        volatile: Paths that changed while nothing happened, such as a clock; they are in no other field.
        lasting: Traits and sharing that differ after loading and still at the end.
        divergence: The first step that went another way, if one did.
        end: How the state at the end differs from the uninterrupted run's.
        healed: Paths of ``restored`` that training put right by itself.
        fresh: Paths in which the fresh run differed from the saved one before loading.
        paths: How many leaves were compared.
        failure: What the project's code raised instead, if it did.
    """

    at: int
    restored: tuple[Mismatch, ...] = ()
    volatile: tuple[str, ...] = ()
    lasting: tuple[Mismatch, ...] = ()
    divergence: Divergence | None = None
    end: tuple[Mismatch, ...] = ()
    healed: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    paths: int = 0
    failure: CallFailed | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Interruption:
    """A run that saved on its way, and the trips from its checkpoints.

    Attributes:
        saving: What it did; ``None`` if it could not save.
        trips: One per checkpoint.
        failure: What the project's code raised while the run trained or saved, if it did.
        notes: What was left out, and why.
    """

    saving: Trajectory | None = None
    trips: tuple[Trip, ...] = ()
    failure: CallFailed | None = None
    notes: tuple[str, ...] = ()


class CallFailed(CkptError):
    """The project's own code raised.

    Attributes:
        stage: What was being done, such as ``load(path)``.
        where: The last lines of the traceback, innermost last.
    """

    def __init__(self, stage: str, error: BaseException) -> None:
        text = "".join(traceback.format_exception_only(error)).strip()
        frames = traceback.extract_tb(error.__traceback__)
        outside = [frame for frame in frames if "pytest_ckpt" not in Path(frame.filename).parts]
        own = [f for f in outside if not f.filename.startswith(LIBRARY_FOLDERS)] or outside
        where = tuple(f"    at {f.filename}:{f.lineno}, in {f.name}: {f.line}" for f in own[-3:])
        self._tell(f"{stage} raised {text}", stage, where)

    def _tell(self, text: str, stage: str, where: tuple[str, ...]) -> None:
        super().__init__(text)
        self.stage, self.where = stage, where

    @classmethod
    def told(cls, text: str, stage: str, where: tuple[str, ...] = ()) -> CallFailed:
        """Return one that another process has told of."""
        failure = cls.__new__(cls)
        failure._tell(text, stage, where)
        return failure


def save_stage(at: int) -> str:
    """Name the stage of saving after ``at`` steps."""
    return f"save(path) after {count_of_steps(at)}"


def count_of_steps(count: int) -> str:
    """Spell a number of steps."""
    return "1 step" if count == 1 else f"{count} steps"


@contextmanager
def stage(what: str) -> Iterator[None]:
    """Turn what the project's code raises into a :class:`CallFailed` that says where."""
    try:
        yield
    except CkptError:
        raise
    except BaseException as error:
        # torch.distributed.checkpoint derives its errors from BaseException.
        known = isinstance(error, Exception | SystemExit) or type(error).__module__.startswith("torch.")
        if not known:
            raise
        raise CallFailed(what, error) from error


@contextmanager
def workspace() -> Iterator[Path]:
    """Isolate the body and give it an empty directory that is gone afterwards."""
    with isolated(), tempfile.TemporaryDirectory(prefix="ckpt-") as directory:
        yield Path(directory)


def fresh_seed(at: int) -> int:
    """Return the seed of the fresh run that loads the checkpoint of step ``at``."""
    return FIRST_SEED + 1 + at


def new_path(directory: Path, name: str, storage: Storage) -> Path:
    """Return a path that does not exist yet in an empty directory of its own."""
    folder = directory / name
    folder.mkdir()
    return folder / f"checkpoint{storage.suffix}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedRun:
    """A run that saved on its way and went on to the end; live, for as long as its checkpoints are needed.

    Attributes:
        run: The run itself, at its end.
        trajectory: What it did.
        trees: Its state at each save.
        paths: Its checkpoints.
        after: Its state right after a save, where that was looked at.
    """

    run: LiveRun
    trajectory: Trajectory
    trees: dict[int, StateTree]
    paths: dict[int, Path]
    after: dict[int, StateTree] = field(default_factory=dict)

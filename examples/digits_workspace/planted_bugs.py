"""Ways to break the example, one line each, and how to import the program that has one of them.

A bug is data: a line as it is, a line that would pass many a review, and what a resume then loses. It is
applied to the source text, so that it stays what a reader sees in a diff.
"""

from __future__ import annotations

import functools
import importlib
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_ckpt import TrainingRun

HERE = Path(__file__).parent
SOURCES = ("__init__.py", "data.py", "ema.py", "model.py", "train.py", "workspace.py")


@dataclass(frozen=True, kw_only=True, slots=True)
class PlantedBug:
    """One line of the program, changed.

    Attributes:
        name: What went wrong, in a few words; unique.
        file: The source file it is in.
        old: The line as it is, without its indentation. It must be there exactly once.
        new: The line instead of it; empty if the line was forgotten.
        lost: What a report must say to have named the culprit.
    """

    name: str
    file: str
    old: str
    new: str
    lost: str

    def apply(self, source: str) -> str:
        """Change the line in the text of ``file``.

        Raises:
            ValueError: If the line is not there exactly once, because the program has changed.
        """
        lines = source.split("\n")
        places = [number for number, line in enumerate(lines) if line.strip() == self.old]
        if len(places) != 1:
            raise ValueError(f"{self.name!r} changes one line {self.old!r}; {self.file} has {len(places)}")
        (place,) = places
        indentation = lines[place][: -len(self.old)]
        lines[place : place + 1] = [indentation + self.new] if self.new else []
        return "\n".join(lines)

    def diff(self) -> str:
        return "\n".join(f"{sign} {line}" for sign, line in (("-", self.old), ("+", self.new)) if line)


@functools.cache
def plant(bug: PlantedBug) -> Callable[[], TrainingRun]:
    """Import a copy of the program with the bug in it, and return its ``make_run``."""
    package = "broken_" + "".join(letter if letter.isalnum() else "_" for letter in bug.name)
    folder = Path(_garden().name) / package
    folder.mkdir()
    for name in SOURCES:
        source = (HERE / name).read_text(encoding="utf-8")
        (folder / name).write_text(bug.apply(source) if name == bug.file else source, encoding="utf-8")
    importlib.invalidate_caches()
    make_run: Callable[[], TrainingRun] = importlib.import_module(f"{package}.train").make_run
    return make_run


@functools.cache
def _garden() -> tempfile.TemporaryDirectory[str]:
    """A folder on ``sys.path``: real files, which a fresh process can import too. It goes at exit."""
    garden = tempfile.TemporaryDirectory(prefix="planted-bugs-")
    sys.path.append(garden.name)
    return garden


BUGS = (
    PlantedBug(
        name="scheduler not saved",
        file="workspace.py",
        old="exclude_keys: ClassVar[tuple[str, ...]] = ()",
        new='exclude_keys: ClassVar[tuple[str, ...]] = ("scheduler",)',
        lost="scheduler",
    ),
    PlantedBug(
        name="optimizer not loaded",
        file="workspace.py",
        old="exclude = set(exclude_keys)",
        new='exclude = {"optimizer", *exclude_keys}',
        lost="optimizer",
    ),
    PlantedBug(
        name="only modules and optimizers saved",
        file="workspace.py",
        old='if hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):',
        new="if isinstance(value, torch.nn.Module | torch.optim.Optimizer):",
        lost="batches",
    ),
    PlantedBug(
        name="step counter not saved",
        file="workspace.py",
        old='include_keys: ClassVar[tuple[str, ...]] = ("cfg", "global_step")',
        new='include_keys: ClassVar[tuple[str, ...]] = ("cfg",)',
        lost="global_step",
    ),
    PlantedBug(
        name="file in half precision",
        file="workspace.py",
        old='return state.detach().to("cpu", copy=True)',
        new='return state.detach().to("cpu", torch.half if state.is_floating_point() else None, copy=True)',
        lost="model.",
    ),
    PlantedBug(
        name="saving thread sees live tensors",
        file="workspace.py",
        old='payload["state_dicts"][key] = copy_to_cpu(value.state_dict())',
        new='payload["state_dicts"][key] = value.state_dict()',
        lost="model.",
    ),
    PlantedBug(
        name="random state of torch not restored",
        file="data.py",
        old='torch.set_rng_state(state["torch"])',
        new="",
        lost="rng.torch",
    ),
    PlantedBug(
        name="random state of NumPy not restored",
        file="data.py",
        old="np.random.set_state((name, keys.numpy(), *rest))",
        new="",
        lost="rng.numpy",
    ),
    PlantedBug(
        name="epoch starts again on resume",
        file="data.py",
        old='self.position = state["position"]',
        new="self.position = 0",
        lost="batches.position",
    ),
    PlantedBug(
        name="epoch shuffled anew on resume",
        file="data.py",
        old='self.order = state["order"]',
        new='self.order = torch.randperm(len(state["order"]))',
        lost="batches.order",
    ),
    PlantedBug(
        name="epoch off by one",
        file="data.py",
        old='return {"epoch": self.epoch, "position": self.position, "order": self.order}',
        new='return {"epoch": self.epoch + 1, "position": self.position, "order": self.order}',
        lost="batches.epoch",
    ),
    PlantedBug(
        name="step counter of the EMA lost",
        file="ema.py",
        old='self.steps = state["steps"]',
        new="",
        lost="ema.steps",
    ),
    PlantedBug(
        name="EMA read one level too high, strict=False",
        file="ema.py",
        old='self.averaged.load_state_dict(state["averaged"])',
        new="self.averaged.load_state_dict(state, strict=False)",
        lost="ema.averaged",
    ),
    PlantedBug(
        name="best weights are the live weights",
        file="ema.py",
        old="self.weights = copy.deepcopy(model.state_dict())",
        new="self.weights = dict(model.state_dict())",
        lost="best.weights",
    ),
    PlantedBug(
        name="eval mode left on by saving",
        file="model.py",
        old="model.train()",
        new="",
        lost="model.training",
    ),
    PlantedBug(
        name="saving draws random numbers",
        file="train.py",
        old="held_out = slice(-100, None)",
        new="held_out = torch.randperm(len(self.images))[-100:]",
        lost="rng.torch",
    ),
)

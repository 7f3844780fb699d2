"""What load makes of checkpoints that are not whole: strict loaders pass in each format, lenient ones are named."""

from __future__ import annotations

import inspect
import json
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_program import Program, factory, report_of
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load as load_dcp
from torch.distributed.checkpoint.state_dict_saver import save as save_dcp
from zoo_good import gan, plain_functions
from zoo_parts import mlp

from pytest_ckpt import Outcome, check_training_run

ALL = ("dropped", "renamed", "reshaped")


def text(words: str) -> str:
    return inspect.cleandoc(words)


def outcome_of(program: Callable[[], Program], check: str) -> Outcome:
    return check_training_run(factory(program), steps=3, select=[check], raise_on_failure=False)[check]


class Plain(Program):
    """``load_state_dict`` with its defaults, and ``state[key]`` for the rest: the strict way of torch."""


class Legacy(Program):
    def save(self, path: Path) -> None:
        torch.save(self.state(), path, _use_new_zipfile_serialization=False)


class Pickled(Program):
    def save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(self.state()))

    def load(self, path: Path) -> None:
        self.restore(pickle.loads(path.read_bytes()))


class InADirectory(Program):
    """Tensors in safetensors, the optimizer beside them, a number in JSON, and notes that nobody reads."""

    def save(self, path: Path) -> None:
        path.mkdir()
        save_file(self.model.state_dict(), path / "model.safetensors", metadata={"format": "pt"})
        torch.save(self.optimizer.state_dict(), path / "optimizer.pt")
        (path / "progress.json").write_text(json.dumps({"count": self.count}))
        (path / "notes").write_text("a good run")

    def load(self, path: Path) -> None:
        optimizer, progress = torch.load(path / "optimizer.pt"), json.loads((path / "progress.json").read_text())
        self.restore({"model": load_file(path / "model.safetensors"), "optimizer": optimizer, **progress})


class Distributed(Program):
    def save(self, path: Path) -> None:
        state = {"weight": self.model.weight, "momentum": self.momentum(), "count": torch.tensor(self.count)}
        save_dcp(state, storage_writer=FileSystemWriter(path), no_dist=True)

    def load(self, path: Path) -> None:
        momentum = torch.zeros(1, 2)
        state = {"weight": self.model.weight.detach(), "momentum": momentum, "count": torch.tensor(0)}
        load_dcp(state, storage_reader=FileSystemReader(path), no_dist=True)
        self.count = int(state["count"])
        self.optimizer.state[self.model.weight] = {"momentum_buffer": momentum} if self.count else {}

    def momentum(self) -> torch.Tensor:
        found = self.optimizer.state.get(self.model.weight, {}).get("momentum_buffer")
        return torch.zeros(1, 2) if found is None else found


STRICT = (Plain, Legacy, Pickled, InADirectory, Distributed)


@pytest.mark.parametrize("check", ALL)
@pytest.mark.parametrize("program", STRICT)
def test_a_strict_load_passes_in_each_format(program: Callable[[], Program], check: str) -> None:
    outcome = outcome_of(program, f"{check}_state_is_noticed")

    assert (outcome.status, outcome.summary, outcome.details) == ("pass", "", ())


@pytest.mark.parametrize("program", [Plain, Legacy, Pickled, InADirectory])
def test_a_state_dict_of_another_optimizer_is_refused_by_torch(program: Callable[[], Program]) -> None:
    assert outcome_of(program, "foreign_optimizer_is_refused").status == "pass"


class Forgiving(Program):
    """What is not there starts afresh."""

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state.get("model", {}), strict=False)
        if "optimizer" in state:
            self.optimizer.load_state_dict(state["optimizer"])
        self.count = state.get("count", 0)


class ForgivingLegacy(Forgiving, Legacy):
    """The same in the legacy format."""


class ForgivingPickled(Forgiving, Pickled):
    """The same in a pickle."""


@pytest.mark.parametrize("program", [Forgiving, ForgivingLegacy, ForgivingPickled])
def test_state_that_is_dropped_unnoticed(program: type[Program]) -> None:
    assert report_of(program, "dropped_state_is_noticed") == text(f"""
        Checkpoint checks of tiny: 1 fail.

        FAIL dropped_state_is_noticed
        load took 4 of 5 copies of the checkpoint with something missing without a word: no \
error, no warning, no message.
        In the file -> in the loaded run:
            model missing -> model.weight: 2 of 2 elements differ, first at [0, 0]: -1.25 became 0.0
            optimizer missing -> optimizer.state[weight]: saved dict with 1 key, loaded nothing
            count missing -> {program.__name__}.count: saved 2, loaded 0
            model.weight missing -> model.weight: 2 of 2 elements differ, first at [0, 0]: -1.25 became 0.0
        Let load raise or warn: checkpoint[key] instead of .get(), a file that must exist, strict=True, or a look at \
the missing_keys that strict=False returns.
        Or, if this is on purpose: expected_failures={{"dropped_state_is_noticed": "the reason"}}.
        note: Not held against load, since torch takes a parameter's missing state for state that has not begun: \
optimizer.state[0].momentum_buffer.
    """)


def test_what_is_saved_and_never_read_may_be_missing() -> None:
    class Talkative(Program):
        def state(self) -> dict[str, Any]:
            return {**super().state(), "version": 2, "arguments": {"lr": 0.5}}

    outcome = outcome_of(Talkative, "dropped_state_is_noticed")

    assert outcome.status == "pass"
    assert outcome.notes[-1] == "Saved and never read, or the same in a fresh run: version, arguments."


class ForgivingDirectory(InADirectory):
    def load(self, path: Path) -> None:
        self.model.load_state_dict(load_file(path / "model.safetensors"))
        if (path / "optimizer.pt").exists():
            self.optimizer.load_state_dict(torch.load(path / "optimizer.pt"))
        self.count = json.loads((path / "progress.json").read_text()).get("count", 0)


def test_a_file_that_is_missing_unnoticed_in_a_directory() -> None:
    outcome = outcome_of(ForgivingDirectory, "dropped_state_is_noticed")

    assert outcome.details == (
        "In the file -> in the loaded run:",
        "    optimizer.pt file missing -> optimizer.state[weight]: saved dict with 1 key, loaded nothing",
        "    progress.json: count missing -> ForgivingDirectory.count: saved 2, loaded 0",
    )
    assert outcome.causes == ("optimizer.pt", "progress.json: count")
    assert outcome.notes[1:] == (
        "Only looked at as a whole: notes: its format is none that can be edited.",
        "Saved and never read, or the same in a fresh run: notes.",
    )


def test_state_that_is_renamed_unnoticed() -> None:
    assert report_of(Forgiving, "renamed_state_is_noticed") == text("""
        Checkpoint checks of tiny: 1 fail.

        FAIL renamed_state_is_noticed
        load took 4 of 4 copies of the checkpoint with something renamed without a word: no \
error, no warning, no message.
        In the file -> in the loaded run:
            model renamed to model_renamed -> model.weight: 2 of 2 elements differ, first at [0, 0]: -1.25 became 0.0
            optimizer renamed to optimizer_renamed -> optimizer.state[weight]: saved dict with 1 key, loaded nothing
            count renamed to count_renamed -> Forgiving.count: saved 2, loaded 0
            model.weight renamed to weight_renamed -> model.weight: 2 of 2 elements differ, first at [0, 0]: -1.25 \
became 0.0
        Let load compare the names in the file with those it looks for, as strict=True does, and raise or warn.
        Or, if this is on purpose: expected_failures={"renamed_state_is_noticed": "the reason"}.
    """)


def test_names_that_do_not_matter_may_change() -> None:
    class ByPosition(Program):
        def restore(self, state: dict[str, Any]) -> None:
            weights, moments, self.count = state.values()
            self.model.weight.data.copy_(*weights.values())
            self.optimizer.load_state_dict(moments)

    assert outcome_of(ByPosition, "dropped_state_is_noticed").status == "pass"
    assert outcome_of(ByPosition, "renamed_state_is_noticed").status == "vacuous"


class Broadcasting(Program):
    """Three rows, so that one of them can be smeared over all."""

    def __init__(self) -> None:
        super().__init__()
        self.model = torch.nn.Linear(1, 3, bias=False)
        self.model.weight.data = torch.tensor([[1.0], [2.0], [3.0]])
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.5, momentum=0.5)

    def restore(self, state: dict[str, Any]) -> None:
        self.model.weight.data.copy_(state["model"]["weight"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.count = state["count"]


def test_state_that_is_reshaped_unnoticed() -> None:
    assert report_of(lambda: Broadcasting(), "reshaped_state_is_noticed") == text("""
        Checkpoint checks of tiny: 1 fail.

        FAIL reshaped_state_is_noticed
        load took 1 of 2 copies of the checkpoint with a tensor of another shape without a word: no \
error, no warning, no message.
        In the file -> in the loaded run:
            model.weight reshaped from (3, 1) to (1, 1) -> model.weight: 2 of 3 elements differ, first at [1, 0]: 0.75 \
became -0.25
        Let load compare shapes before it copies, as load_state_dict does, and raise or warn.
        Or, if this is on purpose: expected_failures={"reshaped_state_is_noticed": "the reason"}.
    """)


class Thirds(Program):
    """A weight that no narrower dtype holds."""

    def __init__(self) -> None:
        super().__init__()
        self.model.weight.data.fill_(1 / 3)


def test_state_that_is_cast_unnoticed() -> None:
    assert report_of(Thirds, "cast_state_is_noticed") == text("""
        Checkpoint checks of tiny: 1 fail.

        FAIL cast_state_is_noticed
        load took 1 of 1 copies of the checkpoint with a tensor of another dtype without a word: no \
error, no warning, no message.
        In the file -> in the loaded run:
            model.weight cast from float32 to float16 -> model.weight: 2 of 2 elements differ, first at [0, 0]: \
-0.9166666269302368 became -0.91650390625; rounded to float16
        Let load compare dtypes before load_state_dict(), which casts in silence whatever strict= says, and raise or \
warn.
        Or, if this is on purpose: expected_failures={"cast_state_is_noticed": "the reason"}.
    """)


def test_a_load_that_compares_dtypes_passes() -> None:
    class Comparing(Thirds):
        def restore(self, state: dict[str, Any]) -> None:
            assert state["model"]["weight"].dtype is self.model.weight.dtype
            super().restore(state)

    assert outcome_of(Comparing, "cast_state_is_noticed").status == "pass"


class Pairing(Program):
    """Gives saved state to parameters as long as there are both."""

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        for parameter, moments in zip(self.model.parameters(), state["optimizer"]["state"].values(), strict=False):
            self.optimizer.state[parameter] = moments
        self.count = state["count"]


def test_state_of_another_optimizer_that_is_taken() -> None:
    assert report_of(Pairing, "foreign_optimizer_is_refused") == text("""
        Checkpoint checks of tiny: 1 fail.

        FAIL foreign_optimizer_is_refused
        load took 1 of 4 copies of the checkpoint with the state of another optimizer without a word: no \
error, no warning, no message.
        In the file -> in the loaded run:
            optimizer one parameter fewer -> optimizer.state[weight]: saved dict with 1 key, loaded nothing
        Give the whole state to optimizer.load_state_dict(), which compares groups and numbers of parameters, and let \
through what it raises.
        Or, if this is on purpose: expected_failures={"foreign_optimizer_is_refused": "the reason"}.
    """)


class TwoLayers(Program):
    """Two weights of one shape with momentum of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.model: Any = torch.nn.ModuleDict({name: torch.nn.Linear(1, 1, bias=False) for name in ("a", "b")})
        for parameter in self.model.parameters():
            torch.nn.init.zeros_(parameter)
        self.optimizer = torch.optim.SGD(self.parameters(), lr=0.5, momentum=0.5)

    def parameters(self) -> Any:
        return self.model.parameters()

    def step(self, i: int) -> float:
        self.optimizer.zero_grad()
        loss = self.model["a"].weight.sum() + 2 * self.model["b"].weight.sum()
        loss.backward()
        self.optimizer.step()
        self.count += 1
        return float(loss)


class Named(TwoLayers):
    def parameters(self) -> Any:
        return self.model.named_parameters()


@pytest.mark.parametrize(
    ("program", "one", "other", "of"), [(TwoLayers, "0", "1", "1 of 1"), (Named, "a.weight", "b.weight", "1 of 2")]
)
def test_optimizer_state_that_follows_positions(program: Callable[[], Program], one: str, other: str, of: str) -> None:
    run = factory(program, predict=None)
    outcome = check_training_run(run, steps=3, select=["optimizer_state*"], raise_on_failure=False)

    assert report_text(outcome["optimizer_state_follows_names"]) == text(f"""
        load took {of} copies of the checkpoint with optimizer state in another order without a word: no \
error, no warning, no message.
        In the file -> in the loaded run:
            optimizer parameters {one} and {other} in the other order -> optimizer.state[a.weight].momentum_buffer: \
saved 1.5, loaded 3.0 (1 more difference)
        Make the optimizer with model.named_parameters(), so that its state holds param_names, and let load compare \
them before optimizer.load_state_dict(), which goes by position.
    """)


def report_text(outcome: Outcome) -> str:
    return "\n".join([outcome.summary, *outcome.details, outcome.advice])


def test_a_load_that_sorts_by_name_passes() -> None:
    class Sorting(Named):
        def restore(self, state: dict[str, Any]) -> None:
            (group,), (own,) = state["optimizer"]["param_groups"], self.optimizer.param_groups
            by_name = dict(zip(group["param_names"], group["params"], strict=True))
            moments = {i: state["optimizer"]["state"].get(by_name[name]) for i, name in enumerate(own["param_names"])}
            mended = {**group, "param_names": own["param_names"], "params": list(moments)}
            found = {index: value for index, value in moments.items() if value is not None}
            super().restore({**state, "optimizer": {"state": found, "param_groups": [mended]}})

    run = factory(Sorting, predict=None)
    outcomes = check_training_run(run, steps=3, select=["optimizer_state*", "foreign*", "state_is_restored"])

    assert [outcome.status for outcome in outcomes] == ["pass", "pass", "pass"]


REPORTS: dict[str, Callable[[Any], Any]] = {
    "warning": lambda keys: warnings.warn(f"missing: {keys}", stacklevel=1),
    "print": lambda keys: print(f"missing: {keys}"),
    "stderr": lambda keys: print(f"missing: {keys}", file=sys.stderr),
    "result": lambda keys: keys,
}


@pytest.mark.parametrize("way", REPORTS)
@pytest.mark.parametrize("check", ["dropped", "renamed"])
def test_a_load_that_reports_what_is_missing_passes(way: str, check: str) -> None:
    class Reporting(Forgiving):
        def load(self, path: Path) -> Any:
            state = torch.load(path)
            self.restore(state)
            missing = [key for key in ("optimizer", "count") if key not in state]
            missing += self.model.load_state_dict(state.get("model", {}), strict=False).missing_keys
            return REPORTS[way](missing) if missing else None

    assert outcome_of(Reporting, f"{check}_state_is_noticed").status == "pass"


@pytest.mark.parametrize("format", ["torch", "torch-legacy", "safetensors", "dcp", "pickle", "cloudpickle", "dill"])
def test_components_are_strict_in_the_formats_of_this_package(format: str) -> None:
    outcomes = check_training_run(gan, steps=3, at=[2], select=["strictness"], formats=[format])

    assert {outcome.check: outcome.status for outcome in outcomes} == {
        "dropped_state_is_noticed": "pass",
        "renamed_state_is_noticed": "pass",
        "reshaped_state_is_noticed": "pass",
        "cast_state_is_noticed": "skipped",
        "foreign_optimizer_is_refused": "pass",
        "optimizer_state_follows_names": "skipped",
    }


def test_without_a_load_of_its_own_a_run_cannot_look_for_what_torch_does_not() -> None:
    outcomes = check_training_run(plain_functions, steps=2, select=["cast*", "optimizer_state*"])

    assert [outcome.summary for outcome in outcomes] == [
        "The run has no load of its own that could look, and torch's load_state_dict() casts in silence.",
        "The run has no load of its own that could look, and torch's optimizers go by position in silence.",
    ]


def test_a_custom_module_that_fills_in_what_is_missing_is_found_in_a_format_of_this_package() -> None:
    class Lenient(torch.nn.Linear):
        def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
            return super().load_state_dict({**self.state_dict(), **state_dict}, strict, assign)

    outcomes = check_training_run(lambda: Lenient(2, 2), select=["dropped*"], raise_on_failure=False)

    assert outcomes["dropped_state_is_noticed"].causes == ("model.weight", "model.bias")


def test_a_run_of_the_package_says_what_it_cannot_change() -> None:
    outcomes = check_training_run(mlp, select=["foreign*"])

    assert outcomes["foreign_optimizer_is_refused"].summary == (
        "As far as it consists of plain containers, the checkpoint holds no state dict of an optimizer."
    )

"""A prefix that keeps names apart is named, with the line that takes it off."""

# Longer than 250 lines because each wrapper has its pair of programs and its sentence, in both directions.

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from zoo_parts import batch, fit, mlp

from pytest_ckpt import Outcome, TrainingRun, check_training_run
from pytest_ckpt.diagnosis.prefixes import advise_on_error, advise_on_file, advise_on_names, find_gap

CONSUME = "torch.nn.modules.utils.consume_prefix_in_state_dict_if_present"
NAMES = [f"{layer}.{kind}" for layer in (0, 1, 2) for kind in ("weight", "bias")]


def under(prefix: str, names: list[str] = NAMES) -> list[str]:
    return [prefix + name for name in names]


TAKE_OFF_MODULE = (
    'Names in the checkpoint begin with "module." and those of the model do not: it is that of DataParallel or '
    "DistributedDataParallel. Save model.module.state_dict(), or take it off in load: "
    f'{CONSUME}(state_dict, "module.").'
)
TAKE_OFF_AVERAGE = (
    'Names in the checkpoint begin with "module." and those of the model do not: it is that of AveragedModel. '
    f'Save model.module.state_dict(), or take it off in load: {CONSUME}(state_dict, "module.").'
)
TAKE_OFF_COMPILE = (
    'Names in the checkpoint begin with "_orig_mod." and those of the model do not: it is that of torch.compile. '
    f'Save model._orig_mod.state_dict(), or take it off in load: {CONSUME}(state_dict, "_orig_mod.").'
)
TAKE_OFF_BOTH = (
    'Names in the checkpoint begin with "_orig_mod.module." and those of the model do not: it is that of '
    "torch.compile around DataParallel or DistributedDataParallel. Save model._orig_mod.module.state_dict(), or take "
    f'it off in load: {CONSUME}(state_dict, "_orig_mod.module.").'
)
GO_INSIDE_MODULE = (
    'Names of the model begin with "module." and those in the checkpoint do not: it is that of DataParallel or '
    "DistributedDataParallel. Load into the model inside: model.module.load_state_dict(state_dict)."
)
GO_INSIDE_AVERAGE = (
    'Names of the model begin with "module." and those in the checkpoint do not: it is that of AveragedModel. '
    "Load into the model inside: model.module.load_state_dict(state_dict)."
)
GO_INSIDE_COMPILE = (
    'Names of the model begin with "_orig_mod." and those in the checkpoint do not: it is that of torch.compile. '
    "Load into the model inside: model._orig_mod.load_state_dict(state_dict)."
)
GO_INSIDE_BOTH = (
    'Names of the model begin with "_orig_mod.module." and those in the checkpoint do not: it is that of '
    "torch.compile around DataParallel or DistributedDataParallel. Load into the model inside: "
    "model._orig_mod.module.load_state_dict(state_dict)."
)


@pytest.mark.parametrize(
    ("missing", "unexpected", "advice"),
    [
        (
            NAMES,
            under("net."),
            'Names in the checkpoint begin with "net." and those of the model do not: take it off in load: '
            f'{CONSUME}(state_dict, "net.").',
        ),
        (
            under("net."),
            NAMES,
            'Names of the model begin with "net." and those in the checkpoint do not: load into the part that has '
            "them: model.net.load_state_dict(state_dict).",
        ),
        (
            under("ema_"),
            NAMES,
            'Names of the model begin with "ema_" and those in the checkpoint do not: put it before them in load: '
            '{"ema_" + name: value for name, value in state_dict.items()}.',
        ),
        (
            NAMES,
            under("."),
            "Names arrive with a dot before them: a prefix was taken off without its own. "
            'Take both off: removeprefix("_orig_mod."), and not removeprefix("_orig_mod").',
        ),
        (
            under("module."),
            under("_orig_mod."),
            'Names in the checkpoint begin with "_orig_mod." and those of the model with "module.": the first is '
            "that of torch.compile, the second that of DataParallel or DistributedDataParallel. Save "
            "model._orig_mod.state_dict() and load into the model inside: model.module.load_state_dict(state_dict).",
        ),
        (
            under("model."),
            under("model._orig_mod."),
            'Names in the checkpoint begin with "model._orig_mod." and those of the model with "model.": '
            '"_orig_mod." is that of torch.compile; translate them in load: '
            'name.replace("model._orig_mod.", "model.", 1).',
        ),
        (
            under("backbone."),
            under("encoder."),
            'Names in the checkpoint begin with "encoder." and those of the model with "backbone.": translate them in '
            'load: name.replace("encoder.", "backbone.", 1).',
        ),
        (
            ["embed.weight", "norm.weight"],
            ["bed.weight"],
            '"embed.weight" arrives as "bed.weight": lstrip() takes letters, each that it is given, and '
            "not a prefix. Use removeprefix().",
        ),
    ],
)
def test_names_apart_by_a_prefix(missing: list[str], unexpected: list[str], advice: str) -> None:
    assert advise_on_names(missing, unexpected) == advice


@pytest.mark.parametrize(
    ("missing", "unexpected"),
    [
        ([], []),
        (NAMES, []),
        ([], NAMES),
        (["head.weight", "head.bias", "body.weight"], ["layers.0.weight"]),
        (["head.scale", "body.shift"], ["module.embed.weight", "module.embed.bias"]),
        (NAMES, under("module.", NAMES[:2])),
    ],
    ids=["nothing", "nothing given", "all found", "one like another", "other names", "less than half"],
)
def test_names_that_no_prefix_explains(missing: list[str], unexpected: list[str]) -> None:
    assert find_gap(missing, unexpected) is None
    assert advise_on_names(missing, unexpected) == ""


def test_names_of_a_large_model_are_compared_in_no_time() -> None:
    names = [f"layers.{i}.{part}.weight" for i in range(500) for part in "abcd"]

    gap = find_gap(names, under("module.", names))

    assert gap is not None
    assert (gap.given, gap.wanted, gap.matched) == ("module.", "", 2000)


def test_an_error_without_names_has_no_advice() -> None:
    assert advise_on_error("load(path) raised KeyError: 'module.weight'") == ""


@pytest.mark.parametrize(
    ("missing", "unexpected", "advice"),
    [
        (NAMES, under("module."), TAKE_OFF_MODULE),
        (
            NAMES,
            under("actor."),
            'Names in the checkpoint begin with "actor." and those of the model do not: check that load translates '
            "them.",
        ),
        (
            under("layers."),
            NAMES,
            'Names of the model begin with "layers." and those in the checkpoint do not: check that load translates '
            "them.",
        ),
        (
            under("layers."),
            under("actor."),
            'Names in the checkpoint begin with "actor." and those of the model with "layers.": check that load '
            "translates them.",
        ),
        (NAMES, ["another"], ""),
    ],
)
def test_only_the_prefix_of_a_wrapper_is_blamed_on_the_file(
    missing: list[str], unexpected: list[str], advice: str
) -> None:
    assert advise_on_file(missing, unexpected) == advice


def data_parallel(model: nn.Module) -> nn.Module:
    return nn.DataParallel(model)


def compiled(model: nn.Module) -> Any:
    return torch.compile(model, backend="eager")


def both(model: nn.Module) -> Any:
    return torch.compile(nn.DataParallel(model), backend="eager")


def average(model: nn.Module) -> nn.Module:
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))


class Trainer:
    """Trains a model and keeps it wrapped, with one of the two on each side of the checkpoint.

    Saves the wrapper or the model inside, and loads into the wrapper or into the model inside.
    """

    def __init__(self, wrap: Callable[[nn.Module], Any], saves: str, loads: str, mode: str) -> None:
        self.bare: Any = mlp()
        self.wrapped = wrap(self.bare)
        if isinstance(self.wrapped, AveragedModel):
            self.bare = self.wrapped.module
        self.optimizer = torch.optim.SGD(self.bare.parameters(), lr=0.1, momentum=0.9)
        self.saves, self.loads, self.mode = saves, loads, mode

    def step(self, i: int) -> float:
        return fit(self.bare, self.optimizer, batch(i))

    def save(self, path: Path) -> None:
        source = getattr(self, self.saves)
        torch.save({"model": source.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path: Path) -> None:
        saved = torch.load(path)
        target, weights = getattr(self, self.loads), saved["model"]
        if self.mode == "sorted out":
            weights = target.state_dict() | {k: v for k, v in weights.items() if k in target.state_dict()}
        target.load_state_dict(weights, strict=self.mode != "lenient")
        self.optimizer.load_state_dict(saved["optimizer"])


def run(*arguments: Any) -> Callable[[], TrainingRun]:
    def make_run() -> TrainingRun:
        trainer = Trainer(*arguments)
        parts = {"model": getattr(trainer, trainer.loads), "optimizer": trainer.optimizer}
        return TrainingRun(components=parts, step=trainer.step, save=trainer.save, load=trainer.load)

    return make_run


def outcome(make_run: Callable[[], TrainingRun]) -> Outcome:
    found = check_training_run(make_run, steps=3, select=["state_is_restored"], raise_on_failure=False)
    return found["state_is_restored"]


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    if torch.distributed.is_initialized():  # by an example that this process has imported
        yield
        return
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


WRAPPERS = [
    pytest.param(data_parallel, TAKE_OFF_MODULE, GO_INSIDE_MODULE, id="DataParallel"),
    pytest.param(DistributedDataParallel, TAKE_OFF_MODULE, GO_INSIDE_MODULE, id="DistributedDataParallel"),
    pytest.param(compiled, TAKE_OFF_COMPILE, GO_INSIDE_COMPILE, id="compile"),
    pytest.param(both, TAKE_OFF_BOTH, GO_INSIDE_BOTH, id="compile of DataParallel"),
    pytest.param(average, TAKE_OFF_AVERAGE, GO_INSIDE_AVERAGE, id="AveragedModel"),
]


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("mode", ["strict", "lenient"])
@pytest.mark.parametrize(("wrap", "take_off", "go_inside"), WRAPPERS)
def test_a_prefix_on_one_side_is_named(wrap: Any, take_off: str, go_inside: str, mode: str) -> None:
    to_bare, to_wrapped = outcome(run(wrap, "wrapped", "bare", mode)), outcome(run(wrap, "bare", "wrapped", mode))

    assert (to_bare.status, to_bare.advice) == ("fail", take_off)
    assert (to_wrapped.status, to_wrapped.advice) == ("fail", go_inside)


@pytest.mark.parametrize(
    ("wrap", "take_off", "go_inside"),
    [
        # What sorts out the names of an average sorts its count out, too.
        pytest.param(data_parallel, TAKE_OFF_MODULE, GO_INSIDE_MODULE, id="DataParallel"),
        pytest.param(compiled, TAKE_OFF_COMPILE, GO_INSIDE_COMPILE, id="compile"),
    ],
)
def test_a_prefix_is_named_where_the_program_sorts_names_out(wrap: Any, take_off: str, go_inside: str) -> None:
    assert outcome(run(wrap, "wrapped", "bare", "sorted out")).advice == take_off
    assert outcome(run(wrap, "bare", "wrapped", "sorted out")).advice == go_inside


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize(("wrap", "take_off", "go_inside"), WRAPPERS)
@pytest.mark.parametrize("side", ["bare", "wrapped"])
def test_the_same_side_twice_passes_every_check(wrap: Any, take_off: str, go_inside: str, side: str) -> None:
    found = check_training_run(run(wrap, side, side, "strict"), steps=3)

    assert {item.status for item in found} <= {"pass", "skipped"}


def as_wrapped(make_trainer: Callable[[], Trainer]) -> Callable[[], TrainingRun]:
    """Show the wrapper to the checks."""

    def make_run() -> TrainingRun:
        trainer = make_trainer()
        parts = {"model": trainer.wrapped, "optimizer": trainer.optimizer}
        return TrainingRun(components=parts, step=trainer.step, save=trainer.save, load=trainer.load)

    return make_run


def as_bare(make_trainer: Callable[[], Trainer]) -> Callable[[], TrainingRun]:
    """Show the model inside to the checks, whose names are those in the file."""

    def make_run() -> TrainingRun:
        trainer = make_trainer()
        parts = {"model": trainer.bare, "optimizer": trainer.optimizer}
        return TrainingRun(components=parts, step=trainer.step, save=trainer.save, load=trainer.load)

    return make_run


def test_a_prefix_is_named_that_only_the_load_meets() -> None:
    found = outcome(as_bare(lambda: Trainer(data_parallel, "bare", "wrapped", "lenient")))

    assert (found.status, found.advice) == ("fail", GO_INSIDE_MODULE)


class TakesLetters(Trainer):
    def load(self, path: Path) -> None:
        weights = torch.load(path)["model"]
        self.bare.load_state_dict({name.lstrip("module."): value for name, value in weights.items()}, strict=False)


def test_letters_that_were_taken_off_are_named() -> None:
    class Lettered(TakesLetters):
        def __init__(self) -> None:
            super().__init__(data_parallel, "wrapped", "bare", "lenient")
            self.bare = nn.ModuleDict({"embed": self.bare})
            self.wrapped = nn.DataParallel(self.bare)

        def step(self, i: int) -> float:
            return fit(self.bare["embed"], self.optimizer, batch(i))

    found = outcome(as_bare(Lettered))

    assert (found.status, found.advice) == (
        "fail",
        '"embed.0.weight" arrives as "bed.0.weight": lstrip() takes letters, each that it is given, and '
        "not a prefix. Use removeprefix().",
    )


class Consuming(Trainer):
    """Does what the advice says."""

    def load(self, path: Path) -> None:
        saved = torch.load(path)
        consume_prefix_in_state_dict_if_present(saved["model"], "_orig_mod.module.")
        self.bare.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])


def test_what_the_advice_says_mends_it() -> None:
    check_training_run(as_bare(lambda: Consuming(both, "wrapped", "bare", "strict")), steps=3)


class TriesTwice(Trainer):
    """Loads by either name; what is lost is lost afterwards."""

    def load(self, path: Path) -> None:
        weights = torch.load(path)["model"]
        try:
            self.bare.load_state_dict(weights)
        except RuntimeError:
            self.bare.load_state_dict({name.removeprefix("module."): value for name, value in weights.items()})
        for parameter in self.bare.parameters():
            nn.init.zeros_(parameter)


def test_a_prefix_that_was_seen_to_is_not_blamed() -> None:
    found = outcome(as_wrapped(lambda: TriesTwice(data_parallel, "wrapped", "bare", "strict")))

    assert found.status == "fail"
    assert "Names in the checkpoint" not in found.advice


class KeepsAnAverage(Trainer):
    """The file holds the names twice, under a prefix first; what is lost was never loaded."""

    def save(self, path: Path) -> None:
        torch.save([self.wrapped.state_dict(), self.bare.state_dict()], path)

    def load(self, path: Path) -> None:
        torch.load(path)


def test_names_that_the_file_holds_elsewhere_are_not_blamed() -> None:
    found = outcome(as_bare(lambda: KeepsAnAverage(data_parallel, "wrapped", "bare", "strict")))

    assert found.status == "fail"
    assert "Names in the checkpoint" not in found.advice

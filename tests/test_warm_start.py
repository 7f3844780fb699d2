"""A run that loads the checkpoint of another model: what it took, what it left, and what it was meant to."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoo_bad import load_raises

from pytest_ckpt import CheckpointFailure, TrainingRun, UsageError, check_warm_start

Rename = Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]


class Backbone(torch.nn.Sequential):
    """Two layers of 4 x 4 and a head."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = torch.nn.Linear(4, 4)
        self.body = torch.nn.Linear(4, 4)
        self.head = torch.nn.Linear(4, classes)


def a_model_of_ten_classes(path: Path, **more: Any) -> Path:
    torch.manual_seed(1)
    torch.save({"state_dict": Backbone(10).state_dict(), **more}, path)
    return path


def without_head(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: tensor for key, tensor in state.items() if not key.startswith("head")}


def loading(rename: Rename, **options: Any) -> Callable[[], TrainingRun]:
    """Return a ``make_run`` of a model of 3 classes that loads what ``rename`` makes of the checkpoint."""

    def make_run() -> TrainingRun:
        model = Backbone(3)

        def load(path: Path) -> None:
            state = rename(torch.load(path, **options)["state_dict"])
            model.load_state_dict(state, strict=False)

        return TrainingRun(components={"model": model}, save=lambda path: None, load=load, name="fine-tuning")

    return make_run


def failure_of(make_run: Callable[[], Any], path: Path, **options: Any) -> str:
    with pytest.raises(CheckpointFailure) as caught:
        check_warm_start(make_run, path, **options)
    return str(caught.value)


def test_everything_but_the_head(tmp_path: Path) -> None:
    path = a_model_of_ten_classes(tmp_path / "old.pt")

    outcomes = check_warm_start(
        loading(without_head), path, missing="model.head.*", unexpected="state_dict.head", min_fraction=0.7
    )

    assert outcomes.name == "fine-tuning"
    assert outcomes["warm_start"].status == "pass"
    assert outcomes["warm_start"].notes == ()


def test_a_head_that_nobody_mentioned(tmp_path: Path) -> None:
    path = a_model_of_ten_classes(tmp_path / "old.pt")

    assert failure_of(loading(without_head), path, min_fraction=0.9) == inspect.cleandoc("""
        From old.pt, load took 4 of 6 tensors of the model, 72.7% of its elements.
        Not loaded, and not named in missing=:
            model.head.weight: float32 (3, 4)
            model.head.bias: float32 (3,)
        In the checkpoint but not in the model, and not named in unexpected=:
            state_dict.head.weight: float32 (10, 4)
            state_dict.head.bias: float32 (10,)
        That is less than min_fraction=0.9.
        Let load translate the names in the checkpoint to those of the model, and mind shapes and dtypes.
    """)


def test_names_that_match_nothing_are_found_out(tmp_path: Path) -> None:
    """The classic: ``strict=False`` and a prefix, so that nothing at all is loaded."""

    def prefixed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {f"module.{key}": tensor for key, tensor in without_head(state).items()}

    path = a_model_of_ten_classes(tmp_path / "old.pt")

    text = failure_of(loading(prefixed), path, missing="model.head", unexpected="state_dict.head")

    assert text.startswith("From old.pt, load took 0 of 6 tensors of the model, 0.0% of its elements.\n")


def test_loaders_may_rename(tmp_path: Path) -> None:
    """A tensor is told by its content: stem and body change places, and both are loaded."""

    def exchanged(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        names = {"stem": "body", "body": "stem"}
        split = {key: key.split(".") for key in without_head(state)}
        return {f"{names[layer]}.{leaf}": state[key] for key, (layer, leaf) in split.items()}

    path = a_model_of_ten_classes(tmp_path / "old.pt")

    check_warm_start(loading(exchanged), path, missing="model.head.*", unexpected="state_dict.head.*")


def test_a_tensor_that_was_cast_is_not_loaded(tmp_path: Path) -> None:
    def halved(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {key: tensor.half() for key, tensor in without_head(state).items()}

    path = a_model_of_ten_classes(tmp_path / "old.pt")

    assert "model.stem.weight: float32 (4, 4)" in failure_of(loading(halved), path, missing="model.head")


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"unexpected": "state_dict"}, "If the model is meant to keep fresh values there, say so in missing=."),
        ({"missing": "model"}, "If load is meant to leave them out, say so in unexpected=."),
        ({"missing": "model", "unexpected": "*", "min_fraction": 0.9}, "That is less than min_fraction=0.9."),
    ],
)
def test_what_is_at_fault_decides_on_the_advice(options: dict[str, Any], advice: str, tmp_path: Path) -> None:
    path = a_model_of_ten_classes(tmp_path / "old.pt")

    assert failure_of(loading(without_head), path, **options).splitlines()[-1] == advice


def test_a_constant_that_both_have_shows_nothing(tmp_path: Path) -> None:
    """A bias of zeros in the file and in the fresh model: neither loaded nor missing."""

    def make_run(*, load: bool = True) -> TrainingRun:
        model = torch.nn.Linear(2, 3)
        torch.nn.init.zeros_(model.bias)

        def loading(path: Path) -> None:
            if load:
                model.load_state_dict(torch.load(path))

        return TrainingRun(components={"model": model}, save=lambda path: None, load=loading)

    torch.save({"weight": torch.ones(3, 2), "bias": torch.zeros(3)}, tmp_path / "old.pt")

    outcome = check_warm_start(make_run, tmp_path / "old.pt", min_fraction=1.0)["warm_start"]

    assert (outcome.status, outcome.notes) == (
        "pass",
        ("Not counted, since the fresh run held a tensor of the checkpoint there before load: model.bias.",),
    )
    text = failure_of(lambda: make_run(load=False), tmp_path / "old.pt")
    assert text.startswith("From old.pt, load took 0 of 1 tensors of the model, 0.0% of its elements.")
    assert "model.bias: " not in text


def test_a_fresh_run_that_has_everything_already_is_no_pass(tmp_path: Path) -> None:
    def make_run() -> TrainingRun:
        model = torch.nn.Linear(2, 2)
        torch.nn.init.ones_(model.weight)
        torch.nn.init.zeros_(model.bias)
        return TrainingRun(components={"model": model}, save=lambda path: None, load=lambda path: None)

    torch.save({"weight": torch.ones(2, 2), "bias": torch.zeros(2)}, tmp_path / "old.pt")

    outcome = check_warm_start(make_run, tmp_path / "old.pt")["warm_start"]

    assert outcome.status == "vacuous"
    assert outcome.summary == (
        "old.pt shows nothing: before load the fresh run already held every tensor that it holds after it."
    )


def test_what_is_no_module_is_not_asked_for(tmp_path: Path) -> None:
    """An optimizer in the file has to be named in unexpected, one in the run does not count."""
    moments = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": []}
    path = a_model_of_ten_classes(tmp_path / "old.pt", optimizer=moments)
    make_run = loading(without_head)

    def with_optimizer() -> TrainingRun:
        run = make_run()
        assert not callable(run.components)
        optimizer = torch.optim.Adam(run.components["model"].parameters())
        return TrainingRun(components={**run.components, "optimizer": optimizer}, save=run.save, load=run.load)

    options: dict[str, Any] = {"missing": ["model.head"]}
    check_warm_start(with_optimizer, path, unexpected=["state_dict.head", "optimizer"], **options)
    text = failure_of(with_optimizer, path, unexpected=["state_dict.head"], **options)
    assert "    optimizer.state[0].exp_avg: float32 (2,)\n" in text


def test_a_long_list_is_cut_and_the_causes_are_not(tmp_path: Path) -> None:
    torch.save({str(i): torch.full((2,), float(i)) for i in range(30)}, tmp_path / "old.pt")

    outcomes = check_warm_start(
        loading(lambda state: {}), a_model_of_ten_classes(tmp_path / "ten.pt"), missing="*", raise_on_failure=False
    )
    assert len(outcomes.failures) == 1

    def make_run() -> TrainingRun:
        return TrainingRun(components={"model": torch.nn.Linear(2, 2)}, save=lambda path: None, load=lambda path: None)

    outcome = check_warm_start(make_run, tmp_path / "old.pt", missing="*", raise_on_failure=False)["warm_start"]

    assert outcome.details[-1] == "    ... and 10 more"
    assert len(outcome.causes) == 30


def test_a_load_that_raises_fails_with_the_place(tmp_path: Path) -> None:
    path = a_model_of_ten_classes(tmp_path / "old.pt")

    text = failure_of(loading(lambda state: {"a": state["b"]}), path)

    assert text.startswith(f"{path}: load(path) raised KeyError: 'b'\n    at {__file__}:")


def test_only_a_load_of_the_run_itself_can_be_asked(tmp_path: Path) -> None:
    path = a_model_of_ten_classes(tmp_path / "old.pt")

    with pytest.raises(UsageError) as caught:
        check_warm_start(lambda: torch.nn.Linear(1, 1), path)

    assert str(caught.value) == (
        "The run has no load=. A warm start is a matter of the run's own load; give it save= and load=."
    )


def test_a_checkpoint_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no checkpoint at .*nowhere\.pt"):
        check_warm_start(load_raises, tmp_path / "nowhere.pt")


class Explosive:
    def __reduce__(self) -> Any:
        return print, ("boom",)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda value, path: path.write_bytes(pickle.dumps(value)), "reading pickle runs code that is in the file"),
        (torch.save, "it cannot be read: UnpicklingError: Weights only load failed. If"),
    ],
)
def test_a_file_that_runs_code_is_only_read_if_it_is_trusted(
    write: Callable[[Any, Path], object], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old.pt"
    write({"weights": torch.ones(2), "surprise": Explosive()}, path)

    with pytest.raises(UsageError) as caught:
        check_warm_start(loading(without_head), path)

    assert str(caught.value).startswith(f"{path} is not read: {reason}")
    assert str(caught.value).endswith("If you trust it, say trusted=True.")
    assert capsys.readouterr().out == ""


def test_a_trusted_pickle_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.pkl"
    path.write_bytes(pickle.dumps({"weight": torch.ones(1, 2), "bias": torch.ones(1)}))

    def make_run() -> TrainingRun:
        model = torch.nn.Linear(2, 1)
        return TrainingRun(
            components={"model": model},
            save=lambda path: None,
            load=lambda path: model.load_state_dict(pickle.loads(path.read_bytes())),
        )

    assert check_warm_start(make_run, path, min_fraction=1, trusted=True)["warm_start"].status == "pass"


def test_a_directory_is_read_file_by_file_and_says_what_it_left_out(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(1, 2), "bias": torch.ones(1)}, tmp_path / "model.safetensors")
    (tmp_path / "scheduler.pkl").write_bytes(pickle.dumps({"a": torch.ones(1)}))
    (tmp_path / "config.json").write_text("{}")

    def make_run() -> TrainingRun:
        model = torch.nn.Linear(2, 1)
        return TrainingRun(
            components={"model": model},
            save=lambda path: None,
            load=lambda path: model.load_state_dict(load_file(path / "model.safetensors")),
        )

    outcome = check_warm_start(make_run, str(tmp_path))["warm_start"]

    assert outcome.status == "pass"
    assert outcome.notes == ("Not read: scheduler.pkl: reading pickle runs code that is in the file.",)


def test_it_leaves_no_trace(tmp_path: Path) -> None:
    path = a_model_of_ten_classes(tmp_path / "old.pt")
    before = torch.get_rng_state(), torch.get_num_threads()

    check_warm_start(loading(without_head), path, missing="model.head", unexpected="state_dict.head")

    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == torch.get_num_threads()


def test_a_prefix_in_the_way_is_named(tmp_path: Path) -> None:
    path = a_model_of_ten_classes(tmp_path / "ten.pt")

    text = failure_of(loading(lambda state: {f"module.{key}": value for key, value in state.items()}), path)

    assert text.splitlines()[-1] == TAKE_OFF


def test_a_prefix_that_load_refuses_is_named(tmp_path: Path) -> None:
    def make_run() -> TrainingRun:
        model = Backbone(10)

        def load(path: Path) -> None:
            model.load_state_dict({f"module.{key}": value for key, value in torch.load(path)["state_dict"].items()})

        return TrainingRun(components={"model": model}, save=lambda path: None, load=load)

    assert failure_of(make_run, a_model_of_ten_classes(tmp_path / "ten.pt")).splitlines()[-1] == TAKE_OFF


TAKE_OFF = (
    'Names in the checkpoint begin with "module." and those of the model do not: it is that of DataParallel or '
    "DistributedDataParallel. Save model.module.state_dict(), or take it off in load: "
    'torch.nn.modules.utils.consume_prefix_in_state_dict_if_present(state_dict, "module.").'
)

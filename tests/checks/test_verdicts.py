"""Neither pass nor fail: vacuous, undecidable, skipped; and calls that make no sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import zoo_bad
from tiny_program import Program, factory
from zoo_good import generator_of_the_module, plain_functions
from zoo_parts import batch, fit, mlp

from pytest_ckpt import Outcomes, TrainingRun, UsageError, check_training_run
from pytest_ckpt.faults import FAULTS


def outcomes_of(make_run: Callable[[], Any], *select: str, **options: Any) -> Outcomes:
    return check_training_run(make_run, select=select or ("default",), raise_on_failure=False, **options)


def test_nothing_changed_in_training() -> None:
    outcome = outcomes_of(zoo_bad.training_that_moves_nothing)["resume_is_exact"]

    assert outcome.status == "vacuous"
    assert outcome.summary == ("Nothing changed during training: neither a result of step() nor any component's state.")


def test_a_result_that_moves_is_enough() -> None:
    def make_run() -> TrainingRun:
        return TrainingRun(components={"model": torch.nn.Linear(2, 2)}, step=lambda i: float(i))

    assert outcomes_of(make_run)["resume_is_exact"].status == "pass"


def test_nothing_to_see_in_loading() -> None:
    found = outcomes_of(zoo_bad.self_seeding_without_step)

    assert found["state_is_restored"].status == "vacuous"
    assert found["state_is_restored"].summary == (
        "Before loading, the fresh run already equalled the saved one, so loading could not show anything. "
        "Give the run a step, or do not seed inside make_run."
    )
    assert found["outputs_are_restored"].status == "vacuous"
    assert found["outputs_are_restored"].summary == "A fresh run predicts the same before it has loaded anything."
    assert not found.failures


def test_a_run_that_seeds_itself_is_no_vacuous_one_if_it_trains() -> None:
    def make_run() -> TrainingRun:
        torch.manual_seed(0)
        return plain_functions()

    statuses = {outcome.status for outcome in outcomes_of(make_run)}

    assert statuses == {"pass"}


def test_training_that_does_not_repeat_itself() -> None:
    outcome = outcomes_of(zoo_bad.nondeterministic_training, "resume_is_exact")["resume_is_exact"]

    assert outcome.status == "undecidable"
    assert outcome.summary == "Training is not deterministic: two runs that never stopped differ already."
    assert outcome.words == ("first run", "second run")
    assert outcome.causes[:2] == ("output", "model.0.weight")
    assert outcome.advice == "Seed what the program draws from, or compare what it does repeat."


def test_training_that_does_not_repeat_itself_is_not_held_against_the_save_either() -> None:
    outcome = outcomes_of(zoo_bad.nondeterministic_training)["saving_changes_nothing"]

    assert outcome.status == "undecidable"


def test_what_is_lost_is_still_seen_in_a_training_that_does_not_repeat_itself() -> None:
    """A tensor that is not what was saved is lost, whatever the training does."""
    broken = FAULTS["load_nothing"].inject(zoo_bad.nondeterministic_training)

    found = outcomes_of(broken)

    assert (found["state_is_restored"].status, found["resume_is_exact"].status) == ("fail", "undecidable")


def test_predictions_that_do_not_repeat_themselves() -> None:
    outcome = outcomes_of(zoo_bad.prediction_with_noise_from_outside)["outputs_are_restored"]

    assert outcome.status == "undecidable"
    assert outcome.summary == ("Two predictions of the saved run differ already, in eval mode and under the same seed.")


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("outputs_are_restored", "The run has no predict=."),
        ("resume_is_exact", "The run has no step=, so it cannot train on."),
        ("saving_changes_nothing", "The run has no step=, so it cannot train on."),
    ],
)
def test_what_a_run_does_not_say_is_skipped(check: str, reason: str) -> None:
    outcome = outcomes_of(mlp, check)[check]

    assert (outcome.status, outcome.summary) == ("skipped", reason)


def test_a_prediction_that_raises_is_skipped_with_the_error() -> None:
    def predict() -> torch.Tensor:
        raise ValueError("no data")

    outcome = outcomes_of(factory(Program, predict=predict), "outputs_are_restored")["outputs_are_restored"]

    assert (outcome.status, outcome.summary) == ("skipped", "predict() raised ValueError: no data.")


def test_two_runs_of_one_model_are_one_run() -> None:
    with pytest.raises(UsageError) as caught:
        check_training_run(zoo_bad.the_same_model_each_time)

    assert str(caught.value) == (
        "make_run returned the same component 'model' twice. It is called for every run and must build new "
        "objects each time; a model made outside of it is trained by both runs."
    )


def test_a_run_without_components_cannot_be_checked() -> None:
    with pytest.raises(UsageError) as caught:
        check_training_run(lambda: TrainingRun(components={}))

    assert str(caught.value) == "The run has no components; name at least one stateful object."


def test_tensors_that_never_differed_are_listed_as_not_exercised() -> None:
    """The scale stays 1 in every run: that it was loaded cannot be told from that it was not."""

    def make_run() -> TrainingRun:
        model = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.LayerNorm(2).requires_grad_(False))
        optimizer = torch.optim.SGD(model[0].parameters(), lr=0.1)
        return TrainingRun(
            components={"model": model, "optimizer": optimizer}, step=lambda i: fit(model, optimizer, batch(i))
        )

    assert outcomes_of(make_run)["state_is_restored"].notes == (
        "Not exercised, since the fresh run held the same before loading: model.1.weight, model.1.bias.",
    )


def test_many_tensors_that_were_not_exercised_are_counted() -> None:
    def make_run() -> TrainingRun:
        norms = [torch.nn.LayerNorm(4) for _ in range(4)]
        return TrainingRun(components={"model": torch.nn.Sequential(*norms, torch.nn.Linear(4, 2))})

    (note,) = outcomes_of(make_run)["state_is_restored"].notes

    assert note.endswith("model.0.weight, model.0.bias, model.1.weight, model.1.bias, model.2.weight and 3 more.")


def test_state_that_runs_share_through_a_global_is_no_nondeterminism() -> None:
    assert outcomes_of(generator_of_the_module)["resume_is_exact"].status == "pass"

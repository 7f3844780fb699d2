"""``selftest()``: each fault that is put into a run is seen, or the run's own checks are to blame."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from zoo import GOOD_RUNS, QUIET
from zoo_parts import fit, mlp

from pytest_ckpt import CheckpointFailure, Outcome, TrainingRun, UsageError, selftest
from pytest_ckpt.checks import CHECKS, registry
from pytest_ckpt.diagnosis import Blame, find_blame
from pytest_ckpt.faults import FAULTS

GOOD = GOOD_RUNS["plain_functions"]
# What cannot be loaded into twice, or saved over.
NOT_JUDGED = {
    ("directory_with_a_sidecar", "save_beside_the_first"),
    ("unfrozen_on_the_way", "load_keeps_trained_state"),
}


def by_hand(lose: bool = False) -> TrainingRun:
    """A regression with momentum, made of tensors in two mappings; it may forget the momentum in a checkpoint."""
    weights, momentum = {"w": torch.randn(4, 1)}, {"w": torch.zeros(4, 1)}

    def step(i: int) -> float:
        inputs = torch.randn(8, 4)
        errors = inputs @ weights["w"] - inputs[:, :1]
        momentum["w"].mul_(0.9).add_(inputs.T @ errors / 8)
        weights["w"].sub_(0.1 * momentum["w"])
        return float(errors.square().mean())

    def save(path: Path) -> None:
        torch.save((weights, momentum, torch.get_rng_state()), path)

    def load(path: Path) -> None:
        saved_weights, saved_momentum, rng = torch.load(path)
        weights["w"].copy_(saved_weights["w"])
        if not lose:
            momentum["w"].copy_(saved_momentum["w"])
        torch.set_rng_state(rng)

    return TrainingRun(components={"weights": weights, "momentum": momentum}, step=step, save=save, load=load)


def _pass(name: str, evidence: object) -> Outcome:
    return Outcome(check=name, status="pass")


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let checks of the catalogue pass whatever they are shown."""

    def make_blind(*names: str) -> None:
        for name in names:
            monkeypatch.setitem(registry._CHECKS, name, replace(CHECKS[name], run=partial(_pass, name)))

    return make_blind


@pytest.mark.usefixtures("new_processes")
@pytest.mark.parametrize("name", GOOD_RUNS)
def test_every_fault_that_applies_to_a_good_run_is_seen_by_the_checks_that_look_for_it(name: str) -> None:
    result = selftest(GOOD_RUNS[name])

    assert {(name, item.fault) for item in result if item.status == "not judged"} <= NOT_JUDGED
    seen = {item.fault: item.seen_by for item in result if item.status == "seen"}
    assert len(seen) >= 7
    quiet = QUIET[name]
    assert seen == {fault: tuple(c for c in FAULTS[fault].seen_by if c not in quiet) for fault in seen}


def test_a_fault_that_does_not_apply_says_why() -> None:
    result = selftest(GOOD, faults=["untie", "forget_model"])

    assert [(item.fault, item.status) for item in result] == [("forget_model", "seen"), ("untie", "not applicable")]
    assert result["untie"].reason == "No two names of a module are one parameter."
    assert result.name == "plain_functions"


def test_a_check_that_cannot_fail_is_found_out(blind: Callable[..., None]) -> None:
    blind("state_is_restored")

    with pytest.raises(CheckpointFailure) as failure:
        selftest(GOOD, select="state_is_restored", faults=["drop_tensor", "untie"])

    unseen, other = failure.value.outcomes
    assert (unseen.check, unseen.status, other.check) == ("selftest:drop_tensor", "fail", "selftest:untie")
    assert str(failure.value).splitlines() == [
        "Checkpoint self-test of plain_functions: 0 faults seen, 0 do not apply, 1 not judged, 1 unseen.",
        "No fault was seen, so nothing shows that these checks can fail on this run.",
        "",
        "Not judged:",
        "    untie: No selected check looks for it; traits_are_restored would.",
        "",
        "UNSEEN drop_tensor",
        "One key does not match after a renaming, and strict=False says nothing. No check fails because of it: "
        "state_is_restored (pass).",
        "Train more steps (steps=), save after other steps (at=), give predict=, or name in components= what it "
        "damages.",
    ]


def test_one_blind_check_is_no_blind_spot_where_another_sees_the_fault(blind: Callable[..., None]) -> None:
    blind("state_is_restored")

    result = selftest(GOOD, faults=["drop_tensor", "load_nothing"])

    assert result["load_nothing"].seen_by == ("resume_is_exact",)
    assert set(result["drop_tensor"].seen_by) >= {"outputs_are_restored", "resume_is_exact"}


def test_a_failure_can_be_had_as_data(blind: Callable[..., None]) -> None:
    blind("state_is_restored")

    result = selftest(GOOD, select="state_is_restored", faults="drop_tensor", raise_on_failure=False)

    assert result.failed
    assert [item.fault for item in result.unseen] == ["drop_tensor"]


def test_a_fault_that_no_selected_check_looks_for_is_not_judged() -> None:
    result = selftest(GOOD, select="state_is_restored", faults=["keep_random_state", "load_nothing"])

    assert result["load_nothing"].seen_by == ("state_is_restored",)
    assert result["keep_random_state"].status == "not judged"
    assert result["keep_random_state"].reason == "No selected check looks for it; resume_is_exact would."


@pytest.mark.parametrize("select", ["outputs_are_restored", "safety"])
def test_checks_that_see_nothing_at_all_fail(select: str) -> None:
    """No single fault is to blame, but such a selection proves nothing."""
    with pytest.raises(CheckpointFailure, match="nothing shows that these checks can fail"):
        selftest(GOOD_RUNS["bare_module"], select=select)


def test_where_a_check_has_no_pass_to_lose_nothing_is_judged() -> None:
    def make_run() -> torch.nn.Module:
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))

    result = selftest(make_run, faults="swap_two_tensors", raise_on_failure=False)

    assert result["swap_two_tensors"].status == "not judged"
    reason = "Without it there is no pass to lose: state_is_restored (vacuous) and resume_is_exact (skipped)."
    assert result["swap_two_tensors"].reason == reason


def test_a_bug_that_the_run_has_already_is_not_said_to_be_seen() -> None:
    broken = FAULTS["keep_random_state"].inject(GOOD)

    result = selftest(broken, faults=["lose_counter", "load_nothing"])

    assert result["load_nothing"].seen_by == ("state_is_restored",)
    assert result["lose_counter"].status == "not judged"
    assert result["lose_counter"].reason == "Without it there is no pass to lose: resume_is_exact (fail)."


def test_a_bug_that_the_run_has_already_leaves_nothing_to_judge() -> None:
    """A checkpoint that is wrong alone tells nothing of how it is among others."""
    result = selftest(partial(by_hand, lose=True), faults="later_saves_repeat_the_first", raise_on_failure=False)

    assert result["later_saves_repeat_the_first"].status == "not judged"
    assert result["later_saves_repeat_the_first"].reason == (
        "Without it there is no pass to lose: checkpoints_are_independent (skipped)."
    )


def test_what_trains_need_not_be_a_module() -> None:
    result = selftest(by_hand)

    assert result.unseen == ()
    again = ("second_save_forgets", "resumed_run_saves_what_it_loaded", "later_saves_repeat_the_first")
    assert {result[fault].status for fault in again} == {"seen"}
    assert result["load_aliases_the_checkpoint"].reason == "Training changes no tensor of a module in place."


def test_a_clock_is_no_damage() -> None:
    """It differs between any two runs, and says nothing of what training depends on."""

    class Clock:
        def state_dict(self) -> dict[str, float]:
            return {"now": time.perf_counter()}

        def load_state_dict(self, state: dict[str, float]) -> None:
            pass

    def make_run() -> TrainingRun:
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def step(i: int) -> dict[str, float]:
            torch.manual_seed(i)
            return {"loss": fit(model, optimizer, torch.randn(8, 4)), "seconds": time.perf_counter()}

        return TrainingRun(components={"model": model, "optimizer": optimizer, "clock": Clock()}, step=step)

    result = selftest(make_run, faults=["forget_component", "keep_random_state", "save_clears_gradients"])

    assert {item.status for item in result} == {"not applicable"}


def test_a_check_that_is_expected_to_fail_sees_nothing() -> None:
    """Its failure would be accepted, whatever it is about; its pass would be a failure of its own."""
    expected = {"resume_is_exact": "weights only, on purpose"}

    result = selftest(GOOD, faults=["keep_random_state", "load_nothing"], expected_failures=expected)

    assert result["load_nothing"].seen_by == ("state_is_restored",)
    assert result["keep_random_state"].status == "not judged"


def test_what_the_project_ignores_need_not_be_seen_and_the_rest_must_be() -> None:
    result = selftest(GOOD, ignore="rng.*", faults=["keep_random_state", "load_nothing"])

    assert result["load_nothing"].status == "seen"
    assert result["keep_random_state"].status == "not judged"
    assert result["keep_random_state"].reason == (
        "ignore=rng.* carries over what it damages; without that, resume_is_exact would fail."
    )


def test_a_run_that_needs_what_it_ignores_is_not_judged_by_what_that_hides() -> None:
    result = selftest(
        FAULTS["keep_random_state"].inject(GOOD), ignore=["rng.*"], faults="keep_random_state", raise_on_failure=False
    )

    assert result["keep_random_state"].status == "not judged"
    assert result["keep_random_state"].reason == (
        "ignore=rng.* may carry over what it damages, and without that nothing can be said. Without it there is no "
        "pass to lose: resume_is_exact (fail)."
    )


def test_ignore_is_no_excuse_for_a_check_that_cannot_fail(blind: Callable[..., None]) -> None:
    blind("state_is_restored")

    result = selftest(GOOD, ignore="rng.*", select="state_is_restored", faults="load_nothing", raise_on_failure=False)

    assert result["load_nothing"].status == "unseen"


def test_a_run_that_ignores_everything_sees_little_and_says_so() -> None:
    result = selftest(GOOD, ignore="*", select=["state_is_restored", "resume_is_exact"], raise_on_failure=False)

    lost = ("forget_model", "forget_optimizer", "drop_tensor", "load_nothing", "keep_random_state")
    assert {result[fault].status for fault in lost} == {"not judged"}
    assert result.unseen == ()


def test_a_program_that_notices_the_bug_itself_is_no_verdict_of_a_check() -> None:
    def make_run() -> TrainingRun:
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        weight = next(model.parameters()).detach()
        weight /= weight.norm()

        def step(i: int) -> float:
            if weight.norm() < 0.95:
                raise ValueError("the weights vanish")
            return fit(model, optimizer, torch.randn(8, 4))

        return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)

    result = selftest(make_run, faults="lose_counter", raise_on_failure=False)

    assert result["lose_counter"].status == "not judged"
    assert result["lose_counter"].reason == "With it the run raises ValueError: the weights vanish"


def test_a_run_on_a_device_of_its_choice_keeps_its_parameter() -> None:
    def make_run(device: str = "cpu") -> torch.nn.Module:
        return torch.nn.Linear(2, 2, device=device)

    assert selftest(make_run, faults="load_nothing")["load_nothing"].status == "seen"


def test_an_unknown_fault_is_a_usage_error_with_a_close_match() -> None:
    with pytest.raises(UsageError, match=r"No fault is called 'drop_tensr'\. Did you mean 'drop_tensor'\? There are: "):
        selftest(GOOD, faults=["drop_tensr"])


def test_a_fault_that_breaks_only_an_opt_in_promise_is_tried_where_it_was_made() -> None:
    (fault,) = {name for name, item in FAULTS.items() if item.seen_by == ("every_component_is_needed",)}

    assert fault not in {item.fault for item in selftest(GOOD, select="traits_are_restored")}
    assert fault in {item.fault for item in selftest(GOOD, select=["traits_are_restored", "economy"])}


def test_a_fault_that_was_not_tried_is_a_key_error() -> None:
    result = selftest(GOOD, faults="load_*")

    assert len(result) == len([name for name in FAULTS if name.startswith("load_")]) > 1
    with pytest.raises(KeyError, match="no fault 'untie' was tried; there are load_"):
        result["untie"]


def test_an_object_instead_of_a_factory_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="a check takes a factory, not an object"):
        selftest(cast(Any, torch.nn.Linear(2, 2)))


def test_no_cause_is_looked_for_in_a_run_with_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take longer than all the rest, and nobody reads it."""
    calls: list[object] = []
    monkeypatch.setattr("pytest_ckpt.checks.inquiry.find_blame", lambda *args: calls.append(args))

    assert selftest(GOOD, faults="lose_counter")["lose_counter"].seen_by == ("resume_is_exact",)
    assert calls == []


def test_what_is_wrong_without_a_fault_is_explained_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*args: Any) -> Blame:
        calls.append(args)
        return find_blame(*args)

    monkeypatch.setattr("pytest_ckpt.checks.inquiry.find_blame", counted)

    selftest(FAULTS["keep_random_state"].inject(GOOD), faults=["lose_counter", "load_nothing", "drop_tensor"])

    assert len(calls) == 1

"""The fixtures ``ckpt`` and ``ckpt_format``, and the marker that sets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

FORGOTTEN = [
    "E       optimizer.state[[]weight[]]: missing",
    "E           saved:  dict with 3 keys",
    "E           loaded: nothing",
    "E       optimizer.state[[]bias[]]: missing",
    "E           saved:  dict with 3 keys",
    "E           loaded: nothing",
    "E       Save optimizer.state_dict() and give it to optimizer.load_state_dict() in load, after the model is "
    "restored and on its final device.",
    'E       Or, if this is on purpose: expected_failures={"state_is_restored": "the reason"}.',
]


def write_test(project: pytest.Pytester, body: str, *, decorator: str = "", fixtures: str = "ckpt") -> None:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    project.makepyfile(test_it=f"import os, pytest, torch, train\n\n{decorator}\ndef test_it({fixtures}):\n{lines}\n")


def test_round_trip_that_loses_something_fails_with_the_report(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, "ckpt.round_trip(train.make_forgetful_run)")

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "ckpt = CkptFixture()",
            "",
            "    def test_it(ckpt):",
            ">       ckpt.round_trip(train.make_forgetful_run)",
            "E       pytest_ckpt.errors.CheckpointFailure: The state changed in a round trip through its own save and "
            "load, saved after 2 steps.",
            *FORGOTTEN,
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*pytest_ckpt/*")


@pytest.mark.parametrize(
    ("steps", "logged"),
    [
        ("", "made 0 1 save made load "),
        (", steps=0", "made save made load "),
        (", steps=3", "made 0 1 2 save made load "),
    ],
    ids=["default", "0", "3"],
)
def test_round_trip_of_a_good_run_saves_once_and_loads_once(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], log: Path, steps: str, logged: str
) -> None:
    write_test(
        project,
        f"outcomes = ckpt.round_trip(train.make_careful_run{steps})\n"
        "assert [(o.check, o.status, o.format) for o in outcomes] == [\n"
        "    ('state_is_restored', 'pass', 'own'), ('traits_are_restored', 'pass', 'own')]",
    )

    run_pytest().assert_outcomes(passed=1)

    assert log.read_text() == logged


def test_round_trip_sees_a_prediction_that_is_not_restored(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    """The offset is in no state dict."""
    write_test(
        project,
        "def make_run():\n"
        "    trainer = train.Trainer()\n"
        "    offset = float(torch.rand(1))\n"
        "    return train.TrainingRun(components=trainer.components(), step=trainer.step,\n"
        "                             predict=lambda: trainer.predict() + offset)\n"
        "ckpt.round_trip(make_run, format='torch')",
    )

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E       pytest_ckpt.errors.CheckpointFailure: The loaded run predicts something else, saved after 2 "
            "steps.",
            "E       prediction: value differs*",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("ckpt.round_trip(train.make_still_run)", "vacuous: Before loading, the fresh run already equalled the *"),
        ("ckpt.resume(train.make_still_run)", "skipped: The run has no step=, so it cannot train on."),
        ("ckpt.resume(train.make_noisy_run, steps=2)", "undecidable: Training is not deterministic: two runs *"),
        (
            "ckpt.round_trip(lambda: {'m': train.Trainer().model, 'x': torch.ones(2).to_sparse()}, "
            "format='safetensors')",
            "skipped: *sparse*",
        ),
    ],
    ids=["vacuous", "no-step", "undecidable", "refused"],
)
def test_trip_that_shows_nothing_skips_the_test_with_the_reason(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], body: str, reason: str
) -> None:
    write_test(project, f"{body}\nassert 0")

    result = run_pytest("-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines([f"SKIPPED [[]1[]] test_it.py:5: {reason}"])


def test_resume_that_differs_fails_with_what_is_to_blame(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, "ckpt.resume(train.make_forgetful_run, at=[1, 3], steps=4)")

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E       pytest_ckpt.errors.CheckpointFailure: The resumed run is not the run that never stopped: saved "
            "after 1 step, they part at step(1).",
            "E       output: value differs",
            "E           uninterrupted: *",
            "E           resumed:       *",
            "E       To blame: *rng.torch*",
        ],
        consecutive=True,
    )


def test_resume_of_a_good_run_trains_it_to_the_end_and_again_from_the_checkpoint(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], log: Path
) -> None:
    write_test(
        project,
        "outcomes = ckpt.resume(train.make_careful_run, at=1, steps=3)\n"
        "assert [(o.check, o.status) for o in outcomes] == [('resume_is_exact', 'pass')]",
    )

    run_pytest().assert_outcomes(passed=1)

    assert log.read_text() == "made 0 save 1 2 made load 1 2 "


def test_resume_sees_a_global_that_a_new_process_would_not_have(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    """In this process the uninterrupted run has set it already."""
    project.makepyfile(
        drifting="""
        import train

        SCALE = 1.0

        def make_run():
            trainer = train.Trainer()

            def step(i):
                global SCALE
                if i == 1:
                    SCALE = 0.5
                return SCALE * trainer.step(i)

            return train.TrainingRun(components=trainer.components(), step=step)
        """
    )
    write_test(project, "import drifting\nckpt.resume(drifting.make_run, at=2, steps=4)")

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*saved after 2 steps, they part at step(2).", "E       To blame: SCALE *"])


def test_resume_fails_where_the_checkpoint_cannot_be_loaded(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, "ckpt.resume(train.make_unreadable_run, at=1, steps=2)")

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E       pytest_ckpt.errors.CheckpointFailure: A checkpoint saved after 1 step cannot be used: load(path) "
            "raised KeyError: 'weights'",
            'E           at *train.py:*, in load: raise KeyError("weights")',
        ],
        consecutive=True,
    )


def test_compare_shows_both_values_and_returns_nothing_if_there_is_no_difference(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(
        project,
        "saved = {'step': 2, 'weight': torch.zeros(2), 'lr': 0.1}\n"
        "assert ckpt.compare(saved, dict(saved)) is None\n"
        "ckpt.compare(saved, {**saved, 'step': 3}, ignore='step')\n"
        "ckpt.compare(saved, {'step': 0, 'weight': torch.zeros(2)})",
    )

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       ckpt.compare(saved, {'step': 0, 'weight': torch.zeros(2)})",
            "E       pytest_ckpt.errors.CheckpointFailure: The loaded state is not the saved one, in 2 places.",
            "E       step: value differs",
            "E           saved:  2",
            "E           loaded: 0",
            "E       lr: missing",
            "E           saved:  0.1",
            "E           loaded: nothing",
        ],
        consecutive=True,
    )


def test_compare_takes_stateful_objects_and_bare_tensors(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(
        project,
        "one, other = train.Trainer().model, train.Trainer().model\n"
        "ckpt.compare(one, one)\n"
        "with pytest.raises(AssertionError, match='model.weight: value differs'):\n"
        "    ckpt.compare(one, other)\n"
        "with pytest.raises(AssertionError, match='state: value differs'):\n"
        "    ckpt.compare(torch.zeros(1), torch.ones(1))",
    )

    run_pytest().assert_outcomes(passed=1)


def test_check_is_check_training_run_with_the_settings_of_the_test(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(
        project,
        "outcomes = ckpt.check(train.make_forgetful_run, raise_on_failure=False)\n"
        "assert [(o.check, o.status) for o in outcomes] == [('state_is_restored', 'fail')]\n"
        "ckpt.check(train.make_forgetful_run)",
        decorator="@pytest.mark.ckpt(select='state_is_restored', steps=2)",
    )

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       ckpt.check(train.make_forgetful_run)",
            "E       pytest_ckpt.errors.CheckpointFailure: Checkpoint checks of *: 1 fail.",
            "E       ",
            "E       FAIL state_is_restored",
            "E       The state changed in a round trip through its own save and load, saved after 1 step.",
            *FORGOTTEN,
        ],
        consecutive=True,
    )


def test_more_differences_than_a_report_shows_are_shown_with_vv(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, "ckpt.compare({str(i): i for i in range(10)}, {})")

    short, full = run_pytest(), run_pytest("-vv")

    short.stdout.fnmatch_lines(["E       ... and 2 more, use '-vv' to show"])
    full.stdout.fnmatch_lines(["E       9: missing", "E           saved:  9", "E           loaded: nothing"])


def test_expected_failures_of_the_marker_hold_for_the_fixture(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(
        project,
        "outcomes = ckpt.round_trip(train.make_forgetful_run)\n"
        "assert outcomes['state_is_restored'].status == 'expected failure'\n"
        "with pytest.raises(AssertionError, match='It passes, though it was expected to fail: weights only'):\n"
        "    ckpt.round_trip(train.make_run)",
        decorator="@pytest.mark.ckpt(expected_failures={'state_is_restored': 'weights only'})",
    )

    run_pytest().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("ckpt.round_trip(train.Trainer().model)", "make_run is a Linear; a check takes a factory, not an object: *"),
        ("ckpt.round_trip(train.make_run, steps=-1)", "steps=-1; it is the number of training steps before saving, *"),
        ("ckpt.resume(train.make_run, steps=2, at=2)", "at=[[]2[]] with steps=2: the steps to save after and *"),
        ("ckpt.resume(train.make_run, at=1.5)", "at=1.5: give one, or a sequence of them."),
        ("ckpt.check(train.make_run, stpes=2)", "The call takes no 'stpes'. Did you mean 'steps'? There are: *"),
        ("ckpt.round_trip(train.make_run, format='own')", "The format 'own' is the run's own save and load, but it *"),
    ],
    ids=["object", "steps", "at", "at-type", "keyword", "own"],
)
def test_bad_input_is_told_in_the_test(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult], body: str, message: str
) -> None:
    write_test(project, body)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [f">       {body}", f"E       pytest_ckpt.errors.UsageError: {message}"], consecutive=True
    )
    result.stdout.no_fnmatch_line("*pytest_ckpt/*")


def test_run_that_recurses_without_end_fails_with_frames_of_its_own(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, "def make_run():\n    return make_run()\nckpt.check(make_run)")

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E   RecursionError: *"])
    result.stdout.no_fnmatch_line("*pytest_ckpt/*")


def test_misspelt_keyword_of_the_marker_is_told_whatever_the_test_uses(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, "pass", decorator="@pytest.mark.ckpt(stpes=2)", fixtures="")

    result = run_pytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "@pytest.mark.ckpt takes no 'stpes'. Did you mean 'steps'? There "
            "are: steps, at, formats, devices, ignore, select, expected_failures, golden_mode, golden_directory."
        ]
    )


def test_marker_takes_keywords_only(project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]) -> None:
    write_test(project, "pass", decorator="@pytest.mark.ckpt(2)")

    result = run_pytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["@pytest.mark.ckpt takes keywords only, not 2.*"])


def test_ckpt_format_is_torch_unless_somebody_asks(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    write_test(project, "print('format is', ckpt_format)", fixtures="ckpt_format")

    default, asked = run_pytest("-s"), run_pytest("-s", "--ckpt-format=pickle,own", "--ckpt-format=torch-legacy")

    default.assert_outcomes(passed=1)
    default.stdout.fnmatch_lines(["*format is torch"])
    asked.assert_outcomes(passed=3)
    asked.stdout.fnmatch_lines(["*format is pickle", "*format is own", "*format is torch-legacy"])


def test_ckpt_format_skips_what_is_not_installed_with_the_command_that_installs_it(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    # An earlier test of this process may have imported both.
    project.makeconftest(
        "import sys\nsys.modules['safetensors'] = None\nsys.modules.pop('pytest_ckpt.formats.with_safetensors', None)\n"
    )
    write_test(project, "pass", decorator="@pytest.mark.ckpt(formats='safetensors')", fixtures="ckpt_format")

    result = run_pytest("-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["SKIPPED [[]1[]] *: The format 'safetensors' needs safetensors: pip install safetensors"]
    )


def test_check_training_run_in_a_test_shows_the_line_that_called_it_and_the_report(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    call = "check_training_run(train.make_forgetful_run, steps=2, select='state_is_restored')"
    write_test(project, f"from pytest_ckpt import check_training_run\n{call}", fixtures="")

    result = run_pytest()

    result.stdout.fnmatch_lines(
        [f">       {call}", "E       pytest_ckpt.errors.CheckpointFailure: Checkpoint checks of *: 1 fail."],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*pytest_ckpt/*")


OLD = """
model = {"weight": torch.ones(1, 2), "bias": torch.ones(1)}
torch.save({"model": model, "classes": torch.ones(3)}, tmp_path / "old.pt")
"""


def test_warm_start_that_leaves_something_fails_with_the_report(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    call = 'ckpt.warm_start(train.make_forgetful_run, tmp_path / "old.pt")'
    write_test(project, f"{OLD}{call}", fixtures="ckpt, tmp_path")

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f">       {call}",
            "E       pytest_ckpt.errors.CheckpointFailure: From old.pt, load took 2 of 2 tensors of the model, 100.0% "
            "of its elements.",
            "E       In the checkpoint but not in the model, and not named in unexpected=:",
            "E           classes: float32 (3,)",
            "E       If load is meant to leave them out, say so in unexpected=.",
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*pytest_ckpt/*")


def test_warm_start_takes_what_check_warm_start_takes(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    options = 'unexpected="classes", min_fraction=1.0'
    write_test(
        project,
        f'{OLD}outcomes = ckpt.warm_start(train.make_forgetful_run, tmp_path / "old.pt", {options})\n'
        'assert outcomes["warm_start"].status == "pass"',
        fixtures="ckpt, tmp_path",
    )

    run_pytest().assert_outcomes(passed=1)


def test_warm_start_that_shows_nothing_skips_the_test(
    project: pytest.Pytester, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    body = """
def make_run():
    run = train.make_forgetful_run()
    for parameter in run.components["model"].parameters():
        torch.nn.init.ones_(parameter)
    return run
ckpt.warm_start(make_run, tmp_path / "old.pt", unexpected="classes")
"""
    write_test(project, f"{OLD}{body}", fixtures="ckpt, tmp_path")

    result = run_pytest("-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED [[]1[]] *: vacuous: old.pt shows nothing: before load the fresh run *"])

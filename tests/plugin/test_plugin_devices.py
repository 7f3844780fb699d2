"""``ckpt_device``, ``--ckpt-device`` and ``devices=``: tests on machines that are not there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

RunPytest = Callable[..., pytest.RunResult]

ON_A_DEVICE = """
import torch

from pytest_ckpt import TrainingRun


def make_run(device="cpu"):
    model = torch.nn.Linear(2, 1).to(device)
    optimizer = torch.optim.AdamW(model.parameters())

    def step(i):
        optimizer.zero_grad()
        loss = model(torch.ones(3, 2, device=device)).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)


def make_broken_run(device="cpu"):
    run = make_run(device)
    model, optimizer = run.components["model"], run.components["optimizer"]

    def save(path):
        torch.save([model.state_dict(), optimizer.state_dict()], path)

    def load(path):
        weights, state = torch.load(path)
        model.cpu().load_state_dict(weights)
        optimizer.load_state_dict(state)
        model.to(device)

    return TrainingRun(components=run.components, step=run.step, save=save, load=load)
"""

TEST = """
import torch


def test_it(ckpt_device):
    print(ckpt_device, torch.cuda.is_available(), torch.cuda.device_count())
    assert str(torch.nn.Linear(2, 2).to(ckpt_device).weight.device) == ckpt_device
    assert torch.cuda.is_available() == (ckpt_device != "cpu")


def test_afterwards_it_is_the_machine_that_it_was():
    assert torch.cuda.device_count() == 0
"""


@pytest.fixture
def devices(project: pytest.Pytester) -> pytest.Pytester:
    project.makepyfile(on_a_device=ON_A_DEVICE)
    return project


def test_a_test_runs_on_the_cpu_and_on_a_simulated_device(devices: pytest.Pytester, run_pytest: RunPytest) -> None:
    devices.makepyfile(test_it=TEST)

    result = run_pytest("-v", "-s")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_it[[]cpu[]] cpu False 0",
            "test_it.py::test_it[[]simulated-cuda:1[]] cuda:1 True 2",
            "test_it.py::test_afterwards* PASSED*",
        ]
    )


@pytest.mark.parametrize("way", ["marker", "option", "ini"])
def test_devices_can_be_asked_for(devices: pytest.Pytester, run_pytest: RunPytest, way: str) -> None:
    mark = "import pytest\npytestmark = pytest.mark.ckpt(devices=['cuda:2', 'xpu:0'])\n" if way == "marker" else ""
    devices.makepyfile(test_it=f"{mark}def test_it(ckpt_device): print('on', ckpt_device)\n")
    if way == "ini":
        devices.makeini("[pytest]\nckpt_devices = cuda:2 xpu:0\n")

    result = run_pytest("-v", "-s", *(["--ckpt-device=cuda:2,xpu:0"] if way == "option" else []))

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_it[[]simulated-cuda:2[]] on cuda:2", "*test_it[[]simulated-xpu:0[]] on xpu:0"])


def test_what_is_no_device_is_said(devices: pytest.Pytester, run_pytest: RunPytest) -> None:
    devices.makepyfile(test_it="def test_it(ckpt_device): pass\n")

    result = run_pytest("--ckpt-device=gpu:1")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E * pytest_ckpt.errors.UsageError: world('gpu:1'): *"])


def test_checks_of_runs_that_take_a_device_are_run_on_those_of_the_command_line(
    devices: pytest.Pytester, run_pytest: RunPytest
) -> None:
    """The run of another factory, which takes none, is checked as ever."""
    result = run_pytest(
        "-v",
        "--ckpt-run=on_a_device:make_run",
        "--ckpt-run=train:make_run",
        "--ckpt-select=resume_is_exact,placement_cuda_to_cpu",
        "--ckpt-device=cpu,cuda:1",
        "--ckpt-steps=2",
    )

    result.assert_outcomes(passed=4, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "ckpt-run::on_a_device:make_run::resume_is_exact-cpu PASSED*",
            "ckpt-run::on_a_device:make_run::placement_cuda_to_cpu-simulated PASSED*",
            "ckpt-run::on_a_device:make_run::resume_is_exact-simulated-cuda:1 PASSED*",
            "ckpt-run::train:make_run::resume_is_exact PASSED*",
            "ckpt-run::train:make_run::placement_cuda_to_cpu-simulated SKIPPED*",
        ]
    )


def test_a_marker_speaks_of_this_run_and_is_wrong_where_it_takes_no_device(
    devices: pytest.Pytester, run_pytest: RunPytest
) -> None:
    devices.makepyfile(
        test_it="""
        import pytest
        import train

        @pytest.mark.ckpt(devices=["cuda:1"])
        def test_it(ckpt):
            ckpt.check(train.make_run)
        """
    )

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E * pytest_ckpt.errors.UsageError: devices=[[]'cuda:1'[]], but make_run has no parameter 'device' *"]
    )


@pytest.mark.parametrize("call", ["check", "round_trip", "resume"])
def test_the_fixture_goes_to_every_device(devices: pytest.Pytester, run_pytest: RunPytest, call: str) -> None:
    devices.makepyfile(
        test_it=f"""
        import pytest
        import on_a_device

        @pytest.mark.ckpt(devices=["cpu", "cuda:1"], steps=3, select=["fidelity", "resume"])
        @pytest.mark.parametrize("name", ["make_run", "make_broken_run"])
        def test_it(ckpt, name):
            ckpt.{call}(getattr(on_a_device, name))
        """
    )

    result = run_pytest("-v")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*test_it[[]make_run[]] PASSED*", "*test_it[[]make_broken_run[]] FAILED*"])
    result.stdout.fnmatch_lines(["E *same device*"])

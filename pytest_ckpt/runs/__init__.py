"""The thing under test: a training run, how it is described, built and driven."""

from pytest_ckpt.runs.isolation import isolated
from pytest_ckpt.runs.live import LiveRun, Record, as_training_run, build, require_factory, takes_device
from pytest_ckpt.runs.parts import module_run, optimizer_run, scheduler_run
from pytest_ckpt.runs.training_run import MakeRun, TrainingRun

__all__ = [
    "LiveRun",
    "MakeRun",
    "Record",
    "TrainingRun",
    "as_training_run",
    "build",
    "isolated",
    "module_run",
    "optimizer_run",
    "require_factory",
    "scheduler_run",
    "takes_device",
]

"""Generated input: Hypothesis strategies for what checkpoints hold, and for the programs that write them."""

from pytest_ckpt.strategies.building import optimizers, schedulers
from pytest_ckpt.strategies.companions import averaged_models, scalers
from pytest_ckpt.strategies.drawn_module import DrawnModule
from pytest_ckpt.strategies.dtypes import DTYPE_KINDS, dtypes
from pytest_ckpt.strategies.layouts import LAYOUTS, STRIDED_LAYOUTS
from pytest_ckpt.strategies.machine import checkpoint_machine, make_change
from pytest_ckpt.strategies.module_recipes import modules
from pytest_ckpt.strategies.module_registration import register_module
from pytest_ckpt.strategies.optimizer_kinds import register_optimizer
from pytest_ckpt.strategies.payloads import CONTAINERS, PLAIN_CONTAINERS, payloads
from pytest_ckpt.strategies.profiles import QUICK, THOROUGH
from pytest_ckpt.strategies.scheduler_kinds import register_scheduler
from pytest_ckpt.strategies.state_dicts import module_state_dicts, optimizer_state_dicts, state_dicts
from pytest_ckpt.strategies.tensors import tensors
from pytest_ckpt.strategies.training_runs import training_runs
from pytest_ckpt.strategies.values import numpy_values, objects, plain_values, random_states

__all__ = [
    "CONTAINERS",
    "DTYPE_KINDS",
    "LAYOUTS",
    "PLAIN_CONTAINERS",
    "QUICK",
    "STRIDED_LAYOUTS",
    "THOROUGH",
    "DrawnModule",
    "averaged_models",
    "checkpoint_machine",
    "dtypes",
    "make_change",
    "module_state_dicts",
    "modules",
    "numpy_values",
    "objects",
    "optimizer_state_dicts",
    "optimizers",
    "payloads",
    "plain_values",
    "random_states",
    "register_module",
    "register_optimizer",
    "register_scheduler",
    "scalers",
    "schedulers",
    "state_dicts",
    "tensors",
    "training_runs",
]

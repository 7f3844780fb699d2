"""Generated input: Hypothesis strategies for what checkpoints hold, and for the programs that write them.

``state`` holds the strategies for plain state, ``networks`` those for modules, ``optimization`` those for what trains
them, and ``runs`` those for whole training programs; each stands on the ones before it.
"""

from pytest_ckpt.strategies.machine import checkpoint_machine, make_change
from pytest_ckpt.strategies.networks.drawn_module import DrawnModule
from pytest_ckpt.strategies.networks.recipes import module_recipes, modules
from pytest_ckpt.strategies.networks.registration import register_module
from pytest_ckpt.strategies.optimization.building import optimizers, schedulers
from pytest_ckpt.strategies.optimization.companions import averaged_models, averaging_recipes, scaler_recipes, scalers
from pytest_ckpt.strategies.optimization.optimizer_kinds import register_optimizer
from pytest_ckpt.strategies.optimization.optimizer_recipes import optimizer_recipes
from pytest_ckpt.strategies.optimization.scheduler_kinds import register_scheduler
from pytest_ckpt.strategies.optimization.scheduler_recipes import scheduler_recipes
from pytest_ckpt.strategies.profiles import QUICK, THOROUGH
from pytest_ckpt.strategies.runs.training_runs import training_runs
from pytest_ckpt.strategies.state.dtypes import DTYPE_KINDS, dtypes
from pytest_ckpt.strategies.state.layouts import LAYOUTS, STRIDED_LAYOUTS
from pytest_ckpt.strategies.state.payloads import CONTAINERS, PLAIN_CONTAINERS, payloads
from pytest_ckpt.strategies.state.state_dicts import module_state_dicts, optimizer_state_dicts, state_dicts
from pytest_ckpt.strategies.state.tensors import tensors
from pytest_ckpt.strategies.state.values import numpy_values, objects, plain_values, random_states

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
    "averaging_recipes",
    "checkpoint_machine",
    "dtypes",
    "make_change",
    "module_recipes",
    "module_state_dicts",
    "modules",
    "numpy_values",
    "objects",
    "optimizer_recipes",
    "optimizer_state_dicts",
    "optimizers",
    "payloads",
    "plain_values",
    "random_states",
    "register_module",
    "register_optimizer",
    "register_scheduler",
    "scaler_recipes",
    "scalers",
    "scheduler_recipes",
    "schedulers",
    "state_dicts",
    "tensors",
    "training_runs",
]

"""Generated input: Hypothesis strategies for what a checkpoint holds."""

from pytest_ckpt.strategies.dtypes import DTYPE_KINDS, dtypes
from pytest_ckpt.strategies.layouts import LAYOUTS, STRIDED_LAYOUTS
from pytest_ckpt.strategies.payloads import CONTAINERS, PLAIN_CONTAINERS, payloads
from pytest_ckpt.strategies.state_dicts import module_state_dicts, optimizer_state_dicts, state_dicts
from pytest_ckpt.strategies.tensors import tensors
from pytest_ckpt.strategies.values import numpy_values, objects, plain_values, random_states

__all__ = [
    "CONTAINERS",
    "DTYPE_KINDS",
    "LAYOUTS",
    "PLAIN_CONTAINERS",
    "STRIDED_LAYOUTS",
    "dtypes",
    "module_state_dicts",
    "numpy_values",
    "objects",
    "optimizer_state_dicts",
    "payloads",
    "plain_values",
    "random_states",
    "state_dicts",
    "tensors",
]

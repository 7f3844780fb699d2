"""Hypothesis strategies for what training programs are made of."""

from pytest_ckpt.strategies.drawn_module import DrawnModule
from pytest_ckpt.strategies.module_recipes import modules
from pytest_ckpt.strategies.module_registration import register_module

__all__ = ["DrawnModule", "modules", "register_module"]

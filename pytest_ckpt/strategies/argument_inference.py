"""Strategies for the arguments of a module's constructor, from its signature and type hints."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pytest_ckpt.errors import UsageError

__all__ = ["FEATURES", "Inferred", "infer_arguments"]

FEATURES = object()
"""Stands for the number of features that flow into the module."""

Inferred = dict[str, Any]
"""Parameter to its strategy, or to ``FEATURES``."""

_FEATURE_NAMES = frozenset(
    {
        "channels",
        "d_model",
        "dim",
        "embed_dim",
        "features",
        "hidden_size",
        "in_channels",
        "in_dim",
        "in_features",
        "input_dim",
        "input_size",
        "num_channels",
        "num_embeddings",
        "num_features",
        "vocab_size",
    }
)
# Small, so that modules are; the next are what hypothesis would draw from all numbers there are.
_PLAIN: dict[Any, SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(1, 4),
    float: st.floats(0.125, 0.5, width=16),
    type(None): st.none(),
}


def infer_arguments(make: Callable[..., Any], given: frozenset[str], *, flows: bool) -> Inferred:
    """Return what to draw the required parameters from that are not given.

    Args:
        make: The class or function that makes a module.
        given: The parameters that the user has strategies for.
        flows: Whether features flow into the module, so that one of its parameters may be their number.

    Raises:
        UsageError: If a required parameter cannot be inferred, or a given one does not exist.
    """
    parameters = _parameters(make)
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    if not takes_any and (unknown := sorted(given - parameters.keys())):
        raise UsageError(
            f"register_module({_name(make)}) has a strategy for {unknown[0]!r}, which is not among its parameters: "
            f"{', '.join(parameters) or 'it has none'}."
        )
    hints = _hints(make)
    required = {name for name, parameter in parameters.items() if _is_required(parameter)}
    named = _FEATURE_NAMES & required - given if flows else frozenset()
    return {
        name: FEATURES if name in named and hints.get(name, int) is int else _strategy(make, name, hints)
        for name in parameters
        if name in required - given
    }


def _strategy(make: Callable[..., Any], name: str, hints: dict[str, Any]) -> SearchStrategy[Any]:
    hint = hints.get(name, inspect.Parameter.empty)
    try:
        return _from_hint(hint)
    except LookupError:
        spelled = f"{name}: {_spelled(hint)}" if name in hints else name
        raise UsageError(
            f"register_module({_name(make)}) cannot tell what to draw for the parameter '{spelled}'. "
            f"Give it a strategy: register_module({_name(make)}, {{{name!r}: ...}}, inputs=...)."
        ) from None


def _from_hint(hint: Any) -> SearchStrategy[Any]:
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return st.sampled_from(parts)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(_from_hint, sorted(parts, key=lambda part: part is not type(None))))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        required = [name for name, parameter in _parameters(hint).items() if _is_required(parameter)]
        return st.builds(hint, **{name: _from_hint(hints[name]) for name in required})
    raise LookupError(hint)


def _parameters(make: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(make).parameters)
    except ValueError:
        raise UsageError(
            f"register_module({_name(make)}) cannot read its signature. Register a function that calls it instead."
        ) from None


def _hints(make: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(make.__init__ if isinstance(make, type) else make)
    except Exception:  # A name that only the type checker knows; what needs the hint says so.
        return {}


def _is_required(parameter: inspect.Parameter) -> bool:
    variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not variable


def _spelled(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)


def _name(make: Callable[..., Any]) -> str:
    return getattr(make, "__qualname__", repr(make))

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

__all__ = ["FEATURES", "FEATURE_NAMES", "VOCABULARY_NAMES", "infer_arguments"]

FEATURES = object()
"""Stands for the number of features that flow into the module."""

FEATURE_NAMES = frozenset(
    {
        "channels",
        "d_model",
        "dim",
        "embed_dim",
        "features",
        "in_channels",
        "in_dim",
        "in_features",
        "input_dim",
        "input_size",
        "num_channels",
        "num_features",
    }
)
"""What a parameter is called that must be the number of features of the input."""

VOCABULARY_NAMES = frozenset({"num_embeddings", "num_tokens", "vocab_size", "vocabulary", "vocabulary_size"})
"""What a parameter is called that must be the number of different tokens."""

# Small, so that the modules are small, and no infinities: what hypothesis would draw from all numbers there are.
_PLAIN: dict[Any, SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(1, 4),
    float: st.floats(0.125, 0.5, width=16),
    type(None): st.none(),
}


def infer_arguments(make: Callable[..., Any], given: frozenset[str], *, names: frozenset[str]) -> dict[str, Any]:
    """Return the strategies of the required parameters that are not given, or ``FEATURES`` in the place of one.

    Args:
        make: The class or function that makes a module.
        given: The parameters that the user has strategies for.
        names: What a parameter is called that must be the number of features that flow into the module.

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
    return {
        name: FEATURES if name in names and hints.get(name, int) is int else _strategy(make, name, hints)
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
        return typing.get_type_hints(vars(make).get("__init__", make) if isinstance(make, type) else make)
    except Exception:  # A name that only the type checker knows; what needs the hint says so.
        return {}


def _is_required(parameter: inspect.Parameter) -> bool:
    variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not variable


def _spelled(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)


def _name(make: Callable[..., Any]) -> str:
    return getattr(make, "__qualname__", repr(make))

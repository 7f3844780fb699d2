"""Keyword arguments as choices between alternatives, found in the signature of a class."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, TypeAlias

from hypothesis.strategies import DrawFn, SearchStrategy

from pytest_ckpt.errors import UsageError
from pytest_ckpt.strategies.state.drawing import AtOnce, Numbers

__all__ = [
    "Arguments",
    "Choice",
    "Options",
    "choices_of",
    "draw_arguments",
    "is_subclass",
    "requires_argument",
    "without",
]

Options: TypeAlias = Mapping[str, Any]
"""Keyword arguments."""
Choice: TypeAlias = tuple[Options, ...]
"""Alternatives of which one is taken; the first is the one to shrink towards."""
Arguments: TypeAlias = tuple[Choice, ...] | SearchStrategy[Options]
"""All the keyword arguments there are: as choices, or drawn as somebody said."""


def draw_arguments(draw: DrawFn | AtOnce, numbers: Numbers, arguments: Arguments) -> Options:
    """Draw keyword arguments, one alternative of each choice.

    Args:
        draw: Hypothesis's own, for what is not ours to choose.
        numbers: What decides on the choices.
        arguments: What there is to draw.
    """
    if isinstance(arguments, SearchStrategy):
        return draw(arguments)
    return {key: value for choice in arguments for key, value in numbers.pick(choice).items()}


def without(choices: Iterable[Choice], names: Collection[str]) -> tuple[Choice, ...]:
    """Return the choices without the alternatives that name one of ``names``."""
    left = (tuple(option for option in choice if not option.keys() & set(names)) for choice in choices)
    return tuple(choice for choice in left if choice)


def choices_of(cls: type, values: Mapping[str, tuple[Any, ...]], *, skip: Collection[str] = ()) -> dict[str, Choice]:
    """Return a choice for each parameter of a class but the first, where there is one to make.

    Args:
        cls: The class.
        values: Values by the name of the parameter, tried where they look like its default.
        skip: Parameters to leave at their defaults.

    Raises:
        UsageError: If a parameter has no default and nothing says what it may be.
    """
    hints = _hints(cls)
    parameters = list(inspect.signature(cls).parameters.values())[1:]
    variadic = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    found = {
        p.name: _choice(cls, p, hints.get(p.name), values.get(p.name))
        for p in parameters
        if p.kind not in variadic and p.name not in skip
    }
    return {name: choice for name, choice in found.items() if choice}


def requires_argument(method: Any) -> bool:
    """Return whether a method, taken from its class, needs an argument beside ``self``."""
    try:
        inspect.signature(method).bind(None)
    except TypeError:
        return True
    return False


def is_subclass(value: object, base: type) -> bool:
    """Return whether a value is a class, and one of ``base``."""
    return isinstance(value, type) and issubclass(value, base)


def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(typing.cast(Any, cls).__init__)
    except Exception:  # An annotation may name what only the type checker imports.
        return {}


def _choice(cls: type, parameter: inspect.Parameter, hint: Any, values: tuple[Any, ...] | None) -> Choice:
    name, default = parameter.name, parameter.default
    required = default is inspect.Parameter.empty
    known = [value for value in values or () if required or _alike(value, default)]
    found = known or _values_of_type(hint if hint is not None else type(default))
    if required and not found:
        raise UsageError(_cannot_infer(cls, parameter))
    if required:
        return tuple({name: value} for value in found)
    others = [{name: value} for value in found if value != default]
    return ({}, *others) if others else ()


def _values_of_type(hint: Any) -> list[Any]:
    if hint is bool:
        return [False, True]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return list(hint)
    if typing.get_origin(hint) is Literal:
        return list(typing.get_args(hint))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [_values_of_type(part) for part in typing.get_args(hint) if part is not types.NoneType]
        # An int or a float among them has values that nobody knows; the others will do.
        return [value for part in parts for value in part]
    return []


def _alike(value: Any, default: Any) -> bool:
    if default is None or value is None:
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return type(value) is type(default)
    if isinstance(default, tuple):
        return isinstance(value, tuple) and len(value) == len(default)
    if isinstance(default, int | float):
        return not isinstance(value, str | tuple | list)
    return isinstance(value, type(default))


def _cannot_infer(cls: type, parameter: inspect.Parameter) -> str:
    hint = parameter.annotation
    spelled = hint if isinstance(hint, str) else inspect.formatannotation(hint)
    kind = "" if hint is inspect.Parameter.empty else f" and a {spelled} may be anything"
    return (
        f"Nothing says what values the parameter {parameter.name!r} of {cls.__qualname__} may have: "
        f"it has no default{kind}. Pass them as a strategy of keyword arguments: "
        f'hyper_parameters=st.fixed_dictionaries({{"{parameter.name}": ...}}).'
    )

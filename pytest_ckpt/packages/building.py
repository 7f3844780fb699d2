"""What a class may be called with, from its signature, and what it makes when it is."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from pytest_ckpt.packages.guarding import Refused, guarded
from pytest_ckpt.packages.values import Value, values_for
from pytest_ckpt.state.random_state import seed_everything

__all__ = ["NoValue", "Recipe", "recipes", "working_recipes"]

_MOST = 24
_FEW_CLASSES = 4
_FEW_PARTS = 3
_MOST_REPAIRS = 4
_SECONDS = 10
_SEED = 20_260_102
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_ONLY)


class NoValue(Exception):
    """A parameter is required for which no value is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One way to make an object of a class.

    Attributes:
        cls: The class.
        arguments: Parameter name to its value.
    """

    cls: type[Any]
    arguments: Mapping[str, Value]

    def made_of(self, first: Sequence[Any] = ()) -> tuple[Any, dict[str, Any]]:
        """Make the object, and return it with what was made for it."""
        given = {name: value.make() for name, value in self.arguments.items()}
        return self.cls(*first, **given), given

    def make_alone(self) -> Any:
        """Make the object and nothing else."""
        return self.made_of()[0]

    def __str__(self) -> str:
        words = ", ".join(f"{name}={value.shown}" for name, value in self.arguments.items())
        return f"{self.cls.__name__}({words})"


def recipes(cls: type[Any], *, skip: int = 0, most: int = _MOST) -> Iterator[Recipe]:
    """Yield ways to call a class, the likeliest first: this is where explicit arguments of a class belong.

    What is required gets small values that fit each other, and then one other value at a time. What has a
    default keeps it.

    Args:
        cls: The class.
        skip: How many leading parameters the caller gives.
        most: How many to yield at most.

    Raises:
        NoValue: If a required parameter has a name and an annotation that no rule knows.
    """
    wanted: dict[str, tuple[Value, ...]] = {}
    for parameter in _required(cls)[skip:]:
        wanted[parameter.name] = (*_parts(parameter.annotation), *values_for(parameter))
        if not wanted[parameter.name]:
            raise NoValue(f"no value is known for its parameter {_spelled(parameter)}")
    yield from islice(_varied(cls, wanted), most)


def _parts(annotation: Any) -> Iterator[Value]:
    """Yield objects of a class of modules that a parameter asks for, or of subclasses where that one is abstract."""
    if not isinstance(annotation, type) or not issubclass(annotation, torch.nn.Module):
        return
    if annotation is torch.nn.Module:
        return
    classes = (annotation, *sorted(_below(annotation), key=lambda cls: len(_required(cls))))
    for recipe in islice(filter(None, map(_first_working, classes)), _FEW_PARTS):
        yield Value(make=recipe.make_alone, shown=str(recipe))


def _below(cls: type[Any]) -> Iterator[type[Any]]:
    """Yield the public subclasses of an abstract class."""
    for child in cls.__subclasses__() if inspect.isabstract(cls) else ():
        if not child.__name__.startswith("_"):
            yield child
        yield from _below(child)


def _first_working(cls: type[Any]) -> Recipe | None:
    if inspect.isabstract(cls):
        return None
    with suppress(NoValue, RecursionError):
        return next((recipe for recipe, _ in working_recipes(cls, most=_FEW_CLASSES)), None)
    return None


def working_recipes(
    cls: type[Any],
    failed: Callable[[Recipe, BaseException], None] = lambda recipe, error: None,
    *,
    most: int = _MOST,
) -> Iterator[tuple[Recipe, tuple[Any, dict[str, Any]]]]:
    """Yield those recipes whose constructor does not raise, with what they made.

    Where the constructor's error names a parameter, that one is given, too.

    Args:
        cls: The class.
        failed: Is told of the others.
        most: How many to try.
    """
    for first in recipes(cls, most=most):
        recipe: Recipe | None = first
        for _ in range(_MOST_REPAIRS):
            if recipe is None:
                break
            try:
                with guarded(_SECONDS, small=True):
                    seed_everything(_SEED)
                    made = recipe.made_of()
            except (Exception, Refused) as error:
                failed(recipe, error)
                recipe = _repaired(recipe, error)
            else:
                yield recipe, made
                break


def _varied(cls: type[Any], wanted: Mapping[str, Sequence[Value]]) -> Iterator[Recipe]:
    first = {name: values[0] for name, values in wanted.items()}
    yield Recipe(cls=cls, arguments=first)
    longest = max(map(len, wanted.values()), default=0)
    for place in range(1, longest):
        moved = {name: values[min(place, len(values) - 1)] for name, values in wanted.items()}
        yield Recipe(cls=cls, arguments=moved)
        for name, values in wanted.items():
            if place < len(values):
                yield Recipe(cls=cls, arguments={**first, name: values[place]})


def _repaired(recipe: Recipe, error: BaseException) -> Recipe | None:
    """Return a recipe with those parameters, too, that an error names, if values for them are known."""
    if not isinstance(error, TypeError | ValueError | AssertionError | KeyError):
        return None
    words = set(re.findall(r"\w+", str(error)))
    missing = isinstance(error, KeyError) or ("required" in words and isinstance(error, TypeError))
    known = {parameter.name: parameter for parameter in _parameters(recipe.cls, inherited=True)}
    names = re.findall(r"'(\w+)'", str(error)) if missing else [name for name in known if name in words]
    added = {}
    for name in names:
        parameter = known.get(name, inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY))
        if name not in recipe.arguments and (values := values_for(parameter)):
            added[name] = values[0]
    return Recipe(cls=recipe.cls, arguments={**recipe.arguments, **added}) if added else None


def _required(cls: type[Any]) -> list[inspect.Parameter]:
    return [parameter for parameter in _parameters(cls) if parameter.default is inspect.Parameter.empty]


def _parameters(cls: type[Any], *, inherited: bool = False) -> list[inspect.Parameter]:
    """Return the parameters of a constructor; of one that names none and passes all on, those of the next.

    Args:
        cls: The class.
        inherited: Whether to return those of bases, too, that the constructor may pass on: it may as well
            give them itself.
    """
    found: dict[str, inspect.Parameter] = {}
    for function in _constructors(cls):
        hints = _hints(function)
        parameters = list(inspect.signature(function).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind in _NAMED and parameter.name not in found:
                found[parameter.name] = parameter.replace(annotation=hints.get(parameter.name, parameter.annotation))
        passes_on = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
        if not passes_on or (found and not inherited):
            break
    return list(found.values())


def _constructors(cls: type[Any]) -> Iterator[Any]:
    for base in cls.__mro__:
        if base.__module__.startswith("torch.") and base is not cls:
            return
        maker = getattr(vars(base).get("__new__"), "__func__", None)
        if inspect.isfunction(maker):
            yield maker
            if "__init__" not in vars(base):
                return
        if inspect.isfunction(vars(base).get("__init__")):
            yield vars(base)["__init__"]


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # names that exist for the type checker alone
        return {}


def _spelled(parameter: inspect.Parameter) -> str:
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        return repr(parameter.name)
    return f"'{parameter.name}: {inspect.formatannotation(annotation)}'"

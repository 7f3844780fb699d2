"""``register_module()``: a project's own modules among those that are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeAlias

import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import nn

from pytest_ckpt.errors import UsageError
from pytest_ckpt.strategies.networks.argument_inference import (
    FEATURE_NAMES,
    FEATURES,
    VOCABULARY_NAMES,
    infer_arguments,
)
from pytest_ckpt.strategies.networks.calls import Call, call
from pytest_ckpt.strategies.networks.drawing import FLOATS, Drawing, Drawn, Kind
from pytest_ckpt.strategies.networks.parts.foreign import FirstOutput, WithOwnInputs, floats_in
from pytest_ckpt.strategies.networks.seeding import seeded
from pytest_ckpt.strategies.networks.shapes import SHAPES, Image, Sequence, Shape, Vector

__all__ = ["Registration", "register_module", "registered_kinds"]

Arguments: TypeAlias = Mapping[str, SearchStrategy[Any]] | SearchStrategy[dict[str, Any]]

_REGISTERED: list[Kind] = []  # For the process, as the strategies that hypothesis registers for types are.


class Registration:
    """A registered module. Leaving it as a context, or calling :meth:`undo`, takes the module out again."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def undo(self) -> None:
        """Draw the module no longer; does nothing the second time."""
        if self._kind in _REGISTERED:
            _REGISTERED.remove(self._kind)

    def __enter__(self) -> Registration:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.undo()


def registered_kinds() -> tuple[Kind, ...]:
    """Return the kinds of layers that were registered, in that order."""
    return tuple(_REGISTERED)


def register_module(
    make: Callable[..., nn.Module],
    arguments: Arguments | Callable[[Any], Arguments] | None = None,
    *,
    inputs: str | Callable[[Any], Any],
) -> Registration:
    """Draw a module of one's own from now on, wherever :func:`modules` draws a layer.

    Args:
        make: Its class, or a function that makes it; called with keyword arguments.
        arguments: Parameter to strategy, or a strategy of all the keyword arguments, or a function that returns
            one of these for the shape that flows in (``shape.features``, ``shape.length``, ...). Required
            parameters that have none are drawn by their type hints, and one named like ``features``,
            ``in_channels`` or ``dim`` is the number of features that flow in.
        inputs: What the module takes: ``"vector"`` (batch, features), ``"sequence"`` (batch, length, features),
            ``"image"`` (batch, features, height, width) or ``"tokens"`` (batch, length); or a function
            from a built module to the arguments of its ``forward`` (a tensor, a tuple, or a mapping).

    Returns:
        A registration to undo, by its ``undo()`` or by ``with``. At the top of a ``conftest.py`` it is not needed.

    Raises:
        UsageError: If an argument can neither be drawn nor inferred, or ``inputs`` is unknown.
    """
    if not callable(inputs) and inputs not in SHAPES:
        raise UsageError(
            f"register_module({_name(make)}, inputs={inputs!r}): the kinds of inputs are "
            f"{', '.join(map(repr, SHAPES))}; for anything else give a function from the module to its inputs."
        )
    names = frozenset() if callable(inputs) else VOCABULARY_NAMES if inputs == "tokens" else FEATURE_NAMES
    arguments_for = _arguments_for(make, arguments, names)
    if callable(inputs):
        draw, takes = _drawn_with_inputs(make, arguments_for, inputs), FLOATS
    else:
        draw, takes = _drawn_for_shape(make, arguments_for), (SHAPES[inputs],)
    kind = Kind(name=_name(make), takes=takes, draw=draw, registered=True)
    _REGISTERED.append(kind)
    return Registration(kind)


def _arguments_for(
    make: Callable[..., nn.Module], arguments: Any, names: frozenset[str]
) -> Callable[[Shape], SearchStrategy[dict[str, Any]]]:
    """Return what gives the strategy of the keyword arguments for a shape."""
    if callable(arguments):
        return lambda shape: _complete(make, arguments(shape), names)(shape)
    return _complete(make, {} if arguments is None else arguments, names)


def _complete(
    make: Callable[..., nn.Module], arguments: Any, names: frozenset[str]
) -> Callable[[Shape], SearchStrategy[dict[str, Any]]]:
    if isinstance(arguments, SearchStrategy):
        return lambda shape: arguments
    if not isinstance(arguments, Mapping) or not all(isinstance(item, SearchStrategy) for item in arguments.values()):
        raise UsageError(
            f"register_module({_name(make)}): its arguments are {arguments!r}. Give a mapping of parameter to "
            "strategy, such as {'width': st.integers(2, 8)}, or a strategy of a dict."
        )
    inferred = {**arguments, **infer_arguments(make, frozenset(arguments), names=names)}
    featured = [name for name, found in inferred.items() if found is FEATURES]
    return lambda shape: st.fixed_dictionaries({**inferred, **dict.fromkeys(featured, st.just(shape.features))})


def _drawn_with_inputs(
    make: Callable[..., nn.Module], arguments_for: Callable[[Shape], Any], inputs: Callable[[Any], Any]
) -> Callable[[Drawing, Shape], Drawn]:
    def draw(drawing: Drawing, shape: Shape) -> Drawn:
        made = call(WithOwnInputs, call(make, **drawing.draw(arguments_for(shape))), inputs)
        _returned_by(made, shape)
        return made, shape

    return draw


def _drawn_for_shape(
    make: Callable[..., nn.Module], arguments_for: Callable[[Shape], Any]
) -> Callable[[Drawing, Shape], Drawn]:
    def draw(drawing: Drawing, shape: Shape) -> Drawn:
        made = call(make, **drawing.draw(arguments_for(shape)))
        returned = _returned_by(made, shape)
        found = next(floats_in(returned), None)
        if found is None or found.ndim == 0 or found.shape[0] != shape.batch:
            described = type(returned).__qualname__ if found is None else f"a tensor {tuple(found.shape)}"
            raise UsageError(
                f"register_module(): {made!r} called with {shape!r} returned {described}. Its output must hold "
                f"a floating-point tensor with the batch of {shape.batch} in front."
            )
        plain = found is returned and 2 <= found.ndim <= 4
        return (made if plain else call(FirstOutput, made)), _shape_of(found)

    return draw


def _returned_by(made: Call, shape: Shape) -> Any:
    with seeded(0), torch.no_grad():
        example = shape.example(torch.Generator().manual_seed(0))
        try:
            return made.build().eval()(example)
        except Exception as error:
            raise UsageError(
                f"register_module(): {made!r} cannot be built and called with {shape!r}: "
                f"{type(error).__name__}: {error}. Where an argument depends on what flows in, give "
                "arguments=lambda shape: {...: st.just(shape.features)}."
            ) from error


def _shape_of(output: torch.Tensor) -> Shape:
    batch, *sizes = output.shape
    if len(sizes) == 2:
        return Sequence(batch=batch, length=sizes[0], features=sizes[1])
    if len(sizes) == 3:
        return Image(batch=batch, features=sizes[0], height=sizes[1], width=sizes[2])
    return Vector(batch=batch, features=output[0].numel())


def _name(make: Any) -> str:
    return str(getattr(make, "__qualname__", repr(make)))

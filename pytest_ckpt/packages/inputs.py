"""Inputs to try on a module whose ``forward`` nobody has described: by names, annotations and its own layers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pytest_ckpt.packages.values import DIM, Value

__all__ = ["Feed", "feeds"]

_LENGTH = 6
_FEW = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Feed:
    """One way to call ``forward``.

    Attributes:
        values: Parameter name to its value.
        by_name: Whether they are passed by name.
    """

    values: Mapping[str, Value]
    by_name: bool

    def make(self) -> tuple[Any, ...] | dict[str, Any]:
        """Draw the arguments, for :func:`~pytest_ckpt.module_run`."""
        made = {name: value.make() for name, value in self.values.items()}
        return made if self.by_name else tuple(made.values())

    def __str__(self) -> str:
        return ", ".join(f"{name}={value.shown}" for name, value in self.values.items()) or "nothing"


def normal(*shape: int) -> Value:
    """Return normally distributed numbers."""
    return Value(make=lambda: torch.randn(shape), shown=f"floats {shape}")


def uniform(*shape: int) -> Value:
    """Return numbers between 0 and 1."""
    return Value(make=lambda: torch.rand(shape), shown=f"floats in [0, 1) {shape}")


def whole(below: int, *shape: int) -> Value:
    """Return whole numbers from 0 on."""
    return Value(make=lambda: torch.randint(below, shape), shown=f"ints below {below} {shape}")


def ones(*shape: int) -> Value:
    """Return a mask that hides nothing."""
    return Value(make=lambda: torch.ones(shape, dtype=torch.bool), shown=f"True {shape}")


def shares(*shape: int) -> Value:
    """Return probabilities, which sum to 1 along dimension 1."""
    return Value(make=lambda: torch.rand(shape).softmax(1), shown=f"probabilities {shape}")


def plain(value: Any) -> Value:
    """Return the same value for every call."""
    return Value(make=lambda: value, shown=repr(value))


_FIRST = r"^(x|y_?(pred|hat)|pred\w*|preds?|logits?|inputs?|outputs?|estimate\w*|probs?|embeddings?|est)$"
_SECOND = r"^(y|y_?true|gt|labels?|targets?|ground_truth|actual)$"
_TOKEN = r"token|input_ids|^ids$|^indices$|^seq$|^text$"
_TIME = r"^(t|time|times|timesteps?|noise_level)$"
_MASK = r"mask"

_PAIRS: tuple[tuple[Value, Value], ...] = (
    (uniform(8), whole(2, 8)),
    (normal(8, _FEW), whole(_FEW, 8)),
    (shares(8, _FEW), whole(_FEW, 8)),
    (uniform(8, _FEW), whole(2, 8, _FEW)),
    (uniform(8), uniform(8)),
    (normal(8, DIM), normal(8, DIM)),
    (normal(8, DIM), whole(_FEW, 8)),
    (uniform(2, 3, 16, 16), uniform(2, 3, 16, 16)),
    (uniform(2, 1, 16, 16), whole(2, 2, 1, 16, 16)),
    (normal(2, _FEW, 16, 16), whole(_FEW, 2, 16, 16)),
    (whole(_FEW, 8), whole(_FEW, 8)),
    (whole(2, 2, _FEW, 16, 16), whole(2, 2, _FEW, 16, 16)),
    (normal(2, 800), normal(2, 800)),
    (normal(2, 2, 800), normal(2, 2, 800)),
    (normal(2, 8000), normal(2, 8000)),
    (uniform(2, 3, 200, 200), uniform(2, 3, 200, 200)),
    (shares(8, _FEW), shares(8, _FEW)),
    (plain(["the cat sat", "a dog ran"]), plain(["the cat sat down", "the dog ran"])),
    (plain(["the cat sat", "a dog ran"]), plain([["the cat sat down"], ["the dog ran"]])),
)


def feeds(module: torch.nn.Module, widths: Sequence[int]) -> Iterator[Feed]:
    """Yield inputs to try, the likeliest first.

    Args:
        module: The module; nothing is called.
        widths: Sizes that it was built with.
    """
    for parameters in _called_with(module):
        by_name = all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters)
        for values in _joint(module, parameters, widths):
            yield Feed(values=values, by_name=by_name)


def _joint(
    module: torch.nn.Module, parameters: Sequence[inspect.Parameter], widths: Sequence[int]
) -> Iterator[dict[str, Value]]:
    names = [parameter.name for parameter in parameters]
    if not names:
        yield {}
        return
    if len(names) >= 2 and re.search(_FIRST, names[0].lower()) and re.search(_SECOND, names[1].lower()):
        for pair in _PAIRS:
            others = {p.name: _beside(p, pair[0])[0] for p in parameters[2:]}
            yield {names[0]: pair[0], names[1]: pair[1], **others}
    for anchor in _anchors(module, names[0].lower(), widths):
        rest = [(p.name, _beside(p, anchor)) for p in parameters[1:]]
        for place in range(max((len(values) for _, values in rest), default=1)):
            yield {names[0]: anchor, **{name: values[min(place, len(values) - 1)] for name, values in rest}}


def _called_with(module: torch.nn.Module) -> Iterator[list[inspect.Parameter]]:
    """Yield what a call of a module has to be given; a metric's ``forward`` passes all on to ``update``.

    Labels come first where there can be some: that they are optional says that they may be made elsewhere.
    """
    parameters = _parameters(module.forward)
    if all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        parameters = next(_named_by_others(module), parameters)
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    labels = [p for p in parameters[1:2] if p.default is None and re.search(_SECOND, p.name.lower())]
    if labels and len(required) == 1:
        yield [*required, *labels]
    yield required or [p for p in parameters if p.kind is not p.VAR_KEYWORD][:1]


def _named_by_others(module: torch.nn.Module) -> Iterator[list[inspect.Parameter]]:
    """Yield the parameters of what a module passes its inputs on to: its own ``update``, or its parts."""
    for function in (getattr(module, "update", None), *(part.forward for part in module.children())):
        if callable(function) and any(p.kind is p.POSITIONAL_OR_KEYWORD for p in _parameters(function)):
            yield _parameters(function)
    for part in module.children():
        yield from _named_by_others(part)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


def _anchors(module: torch.nn.Module, name: str, widths: Sequence[int]) -> list[Value]:
    """Return values for the first parameter."""
    own = [value for layer in module.modules() for value in _for_layer(layer)]
    built = [value for width in dict.fromkeys(widths) for value in (normal(2, _LENGTH, width), normal(4, width))]
    found = [*own[:8], *built[:8], *_GENERAL]
    if re.search(_TOKEN, name):
        found = [*(v for v in found if v.shown.startswith("ints")), *found]
    if re.search(_TIME, name):
        found = [normal(4), whole(10, 4), *found]
    if re.search(r"ima?ge?s?$|pixel|video|frames?$", name):
        found = [*_PICTURES, *found]
    return list({value.shown: value for value in found}.values())


_PICTURES = [normal(2, 3, 16, 16), normal(2, DIM, 16, 16), normal(2, 1, 16, 16), normal(2, 3, 64, 64)]
_GENERAL = [
    normal(2, _LENGTH, DIM),
    normal(4, DIM),
    *_PICTURES,
    normal(2, DIM, 16),
    normal(2, 2, _LENGTH, 4),
    normal(2, 3, 8, 8, 8),
    normal(2, 16, 16),
    normal(2, 16, DIM),
    normal(2, 1, 1024),
    normal(2, 8000),
    whole(DIM, 2, _LENGTH),
    uniform(4, DIM),
    shares(4, DIM),
    uniform(2, 3, 16, 16),
    uniform(8),
    plain(0.5),
    plain(_LENGTH),
]


def _for_layer(layer: torch.nn.Module) -> list[Value]:
    nn = torch.nn
    if isinstance(layer, nn.Embedding):
        return [whole(layer.num_embeddings, 2, _LENGTH), whole(layer.num_embeddings, 4)]
    if isinstance(layer, nn.Linear):
        width = layer.in_features
        return [normal(2, _LENGTH, width), normal(4, width)]
    if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return [normal(2, layer.in_channels, *(16,) * len(layer.kernel_size))]
    if isinstance(layer, nn.LayerNorm):
        return [normal(2, _LENGTH, *layer.normalized_shape)]
    if isinstance(layer, nn.BatchNorm1d):
        return [normal(4, layer.num_features)]
    if isinstance(layer, nn.BatchNorm2d):
        return [normal(2, layer.num_features, 16, 16)]
    return []


def _beside(parameter: inspect.Parameter, anchor: Value) -> list[Value]:
    """Return values for a further parameter, given that of the first one."""
    name, annotation = parameter.name.lower(), parameter.annotation
    if annotation in _NUMBERS:
        return [plain(_NUMBERS[annotation])]
    made = anchor.make()
    shape = tuple(made.shape) if isinstance(made, torch.Tensor) else (4,)
    if re.search(_MASK, name):
        return [ones(*shape[:2]), ones(*shape[:1]), ones(*shape)]
    if re.search(_SECOND, name):
        return [whole(_FEW, *shape[:1]), whole(_FEW, *shape[:-1]), anchor, whole(2, *shape)]
    if re.search(_TIME, name):
        return [uniform(shape[0]), whole(4, shape[0])]
    if re.search(_TOKEN, name):
        return [whole(DIM, *shape[:2]), anchor]
    if re.search(r"^(indexes|group\w*|sample\w*ids?)$", name):
        return [whole(2, shape[0])]
    if re.search(r"len|^n$|size|^h$|^w$|height|width|^step$|offset", name):
        return [plain(_LENGTH), plain(16)]
    return [anchor, normal(*shape), normal(2, _LENGTH, DIM)]


_NUMBERS: dict[Any, Any] = {int: 2, float: 0.5, bool: True, "int": 2, "float": 0.5, "bool": True}
